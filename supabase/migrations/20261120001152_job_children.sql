-- The children of a job in short: what its page shows before anybody pages through them.

create function public.job_children(p_job_id uuid) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'total', sum(counted.jobs),
      'by_status', jsonb_object_agg(counted.status, counted.jobs),
      'failed', coalesce((
        select jsonb_agg(jsonb_build_object('job_id', f.id, 'item_index', f.item_index,
          'step_id', f.parent_step_id, 'branch', f.branch, 'error', f.error)
          order by f.created_at, f.item_index, f.id)
        from (
          select c.id, c.item_index, c.parent_step_id, c.branch, c.error, c.created_at
          from public.jobs c
          where c.parent_job_id = p_job_id and c.status = 'failed'
          order by c.created_at, c.item_index, c.id
          limit 10
        ) as f), '[]'))
    from (
      select c.status, count(*) as jobs
      from public.jobs c where c.parent_job_id = p_job_id
      group by c.status
    ) as counted
    having count(*) > 0);
end;
$$;
comment on function public.job_children(uuid) is
  'The children of a job that the caller sees: {total, by_status: {status: count}, failed: [{job_id, item_index, step_id (that started it), branch, error}] (the first 10)}; null where there are none.';
revoke execute on function public.job_children(uuid) from public, anon;
grant execute on function public.job_children(uuid) to authenticated, service_role;
