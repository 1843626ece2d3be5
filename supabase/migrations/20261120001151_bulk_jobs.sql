-- Run control in bulk, by a filter: one statement finds the jobs, one writer changes them all.

create type millrace.job_filter as (
  status text[],
  workflow_id text,
  user_id uuid,
  created_after timestamptz,
  created_before timestamptz,
  error_code text,
  metadata jsonb
);
comment on type millrace.job_filter is 'Which jobs: null is any.';
grant usage on type millrace.job_filter to authenticated, service_role;

create function millrace.read_job_filter(p_filter jsonb) returns millrace.job_filter
language plpgsql set search_path = ''
as $$
declare
  v_unknown text;
  v_filter millrace.job_filter;
begin
  if p_filter is not null and jsonb_typeof(p_filter) <> 'object' then
    raise exception 'Cannot filter jobs as p_filter must be an object: current value is %',
      left(p_filter::text, 200) using errcode = 'MR008';
  end if;
  select key into v_unknown from jsonb_object_keys(p_filter) as key
  where key not in ('status', 'workflow_id', 'user_id', 'created_after', 'created_before',
    'error_code', 'metadata')
  order by key limit 1;
  if v_unknown is not null then
    raise exception 'Cannot filter jobs by ''%'': use status, workflow_id, user_id, created_after, created_before, error_code and metadata',
      left(v_unknown, 100) using errcode = 'MR008';
  elsif jsonb_typeof(p_filter -> 'metadata') not in ('object', 'null') then
    raise exception 'Cannot filter jobs as metadata must be an object: current value is %',
      left(p_filter ->> 'metadata', 200) using errcode = 'MR008';
  end if;
  if jsonb_typeof(p_filter -> 'status') = 'string' then
    p_filter := jsonb_set(p_filter, '{status}', jsonb_build_array(p_filter -> 'status'));
  end if;
  begin
    v_filter := jsonb_populate_record(null::millrace.job_filter, jsonb_strip_nulls(p_filter));
  exception when data_exception or feature_not_supported then
    raise exception 'Cannot filter jobs as %', sqlerrm using errcode = 'MR008';
  end;
  return v_filter;
end;
$$;
comment on function millrace.read_job_filter(jsonb) is
  'A filter {status (one or several), workflow_id, user_id, created_after, created_before, error_code, metadata (what must be in it)}. Raises MR008 for what is none.';
revoke execute on function millrace.read_job_filter(jsonb) from public;
grant execute on function millrace.read_job_filter(jsonb) to authenticated, service_role;

-- Whether it makes sense now; the writers look again with the row locked.
create function millrace.action_fits(p_action text, p_status text, p_state jsonb) returns boolean
language sql immutable set search_path = ''
as $$
  select case p_action
    when 'retry' then p_status in ('failed', 'cancelled')
    when 'cancel' then p_status not in ('completed', 'failed', 'cancelled')
    when 'resume' then p_status not in ('completed', 'failed', 'cancelled')
      and (p_status = 'paused' or p_state -> 'paused' = 'true')
    when 'pause' then p_status not in ('completed', 'failed', 'cancelled', 'paused')
      and p_state -> 'paused' is distinct from 'true'
  end
$$;
comment on function millrace.action_fits(text, text, jsonb) is
  'Whether cancel, pause, resume or retry makes sense for a job of this status and state.';
revoke execute on function millrace.action_fits(text, text, jsonb) from public;
grant execute on function millrace.action_fits(text, text, jsonb) to authenticated, service_role;

-- A wish that nobody has read yet makes sense of its opposite.
create function millrace.jobs_that_are_to(p_kind text) returns uuid[]
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := millrace.require_caller();
begin
  return array(
    select m.job_id from public.job_inbox m
    join public.jobs j on j.id = m.job_id
    where m.kind = p_kind and m.kind in ('pause', 'resume')
      and (v_user_id is null or j.user_id = v_user_id));
end;
$$;
comment on function millrace.jobs_that_are_to(text) is
  'The caller''s jobs (the service role: everybody''s) with an unread wish to pause or to resume.';
revoke execute on function millrace.jobs_that_are_to(text) from public;
grant execute on function millrace.jobs_that_are_to(text) to authenticated, service_role;

create function public.bulk_jobs(
  p_action text,
  p_filter jsonb default '{}'::jsonb,
  p_limit integer default 100,
  p_dry_run boolean default false,
  p_reason text default null,
  p_kick boolean default true
) returns jsonb
language plpgsql set search_path = '' set plan_cache_mode = force_custom_plan
as $$
declare
  v_user_id uuid := millrace.require_caller();
  v_filter millrace.job_filter := millrace.read_job_filter(p_filter);
  v_most integer := case when v_user_id is null then 10000 else 1000 end;
  v_contrary uuid[] := case p_action
    when 'pause' then millrace.jobs_that_are_to('resume')
    when 'resume' then millrace.jobs_that_are_to('pause') end;
  v_matched bigint;
  v_ids uuid[];
  v_affected integer := 0;
begin
  if p_action is null or p_action not in ('cancel', 'pause', 'resume', 'retry') then
    raise exception 'Cannot act in bulk as p_action must be cancel, pause, resume or retry: current value is %',
      coalesce(left(p_action, 100), 'null') using errcode = 'MR008';
  elsif p_limit is null or p_limit not between 1 and v_most then
    raise exception 'Cannot act in bulk as p_limit must be between 1 and %: current value is %',
      v_most, coalesce(p_limit::text, 'null') using errcode = 'MR008';
  elsif v_user_id <> v_filter.user_id then
    raise exception 'Cannot act on the jobs of somebody else' using errcode = 'MR011';
  end if;
  v_user_id := coalesce(v_user_id, v_filter.user_id);
  with matching as materialized (
    select j.id, j.created_at from public.jobs j
    where j.parent_job_id is null
      and (millrace.action_fits(p_action, j.status, j.state) or j.id = any (v_contrary))
      and (v_user_id is null or j.user_id = v_user_id)
      and (v_filter.status is null or j.status = any (v_filter.status))
      and (v_filter.workflow_id is null or j.workflow_id = v_filter.workflow_id)
      and (v_filter.created_after is null or j.created_at >= v_filter.created_after)
      and (v_filter.created_before is null or j.created_at < v_filter.created_before)
      and (v_filter.error_code is null or j.error ->> 'code' = v_filter.error_code)
      and (v_filter.metadata is null or j.metadata @> v_filter.metadata)
  )
  select (select count(*) from matching),
    array(select m.id from matching m order by m.created_at, m.id limit p_limit)
  into v_matched, v_ids;

  if not coalesce(p_dry_run, false) then
    perform set_config('millrace.kick', case when p_kick then '' else 'caller' end, true);
    v_affected := cardinality(case p_action
      when 'retry' then millrace.reopen_jobs(v_ids, null,
        jsonb_build_object('from_step', null, 'failed_items_only', true))
      else millrace.post_wishes(v_ids, p_action,
        jsonb_build_object('reason', left(p_reason, 1000)))
    end);
  end if;
  return jsonb_build_object('matched', v_matched, 'affected', v_affected,
    'job_ids', to_jsonb(v_ids[1:100]), 'dry_run', coalesce(p_dry_run, false),
    'kick', v_affected > 0 and not p_kick);
end;
$$;
comment on function public.bulk_jobs(text, jsonb, integer, boolean, text, boolean) is
  'Cancels, pauses, resumes or retries the caller''s jobs (the service role: everybody''s) that p_filter names, the oldest p_limit (at most 1000, for the service role 10000) of them; children follow their roots, and jobs for which it makes no sense are left out. p_dry_run: counts only. p_kick as in start_job. Answers {matched, affected, job_ids (the first 100), dry_run, kick}. Raises MR008 (action, limit, filter), MR009, MR011 (user_id of somebody else).';
revoke execute on function public.bulk_jobs(text, jsonb, integer, boolean, text, boolean)
  from public, anon;
grant execute on function public.bulk_jobs(text, jsonb, integer, boolean, text, boolean)
  to authenticated, service_role;
