-- The safety net: every few seconds the database looks whether something is due, and only then
-- calls an orchestrator.
create function public.tick() returns jsonb
language plpgsql security definer
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_due integer;
  v_kicks integer := 0;
  v_settings millrace.settings;
begin
  -- A crash empties the table, and without its row nothing that is inserted would be kicked.
  insert into millrace.pulse default values on conflict do nothing;
  update millrace.pulse set last_tick_at = v_now
  where id = (select p.id from millrace.pulse p for update skip locked);
  select s.* into strict v_settings from millrace.settings s;
  perform millrace.sweep_slots();
  select count(*) into v_due
  from (
    select from generate_series(0, 9) as level (priority)
    cross join lateral (
      (select from public.jobs j
        where j.priority = level.priority and j.next_run_at <= v_now and j.queue_place is null
        limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator)
      union all
      (select from public.jobs j
        where j.priority = level.priority and j.queue_place is not null
        limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator)
    ) as due
    limit v_settings.max_orchestrators * v_settings.jobs_per_orchestrator
  ) as looked_at;
  -- Events on their way are due work too, though one orchestrator can do it.
  v_due := v_due + (select count(*) from (
    select from public.events e where e.delivered_at is null limit 1) as undelivered);
  if v_due > 0 then
    v_kicks := least(v_settings.max_orchestrators,
      ceil(v_due::numeric / v_settings.jobs_per_orchestrator)::integer);
    if millrace.post_kicks(v_kicks, 'tick') is null then
      v_kicks := 0;
      raise warning 'Millrace cannot call its orchestrator: set the Vault secrets millrace_project_url and millrace_secret_key';
    end if;
  end if;
  return jsonb_build_object('due', v_due, 'kicks', v_kicks);
end;
$$;
comment on function public.tick() is
  'Calls as many orchestrators as due jobs call for, none when nothing is due. Answers {due (counted up to max_orchestrators × jobs_per_orchestrator, one more when events are on their way), kicks}.';
revoke execute on function public.tick() from public, anon, authenticated;
grant execute on function public.tick() to service_role;

-- Finished jobs go after retention_days, with all that hangs on them; in batches, so that no
-- transaction is long.
create function public.prune_jobs(p_batch integer default 5000) returns integer
language plpgsql set search_path = ''
as $$
declare
  v_before timestamptz;
  v_deleted integer;
begin
  select millrace.now() - make_interval(days => s.retention_days) into strict v_before
  from millrace.settings s;
  -- Children go with their root, and are what makes it large.
  with old as materialized (
    select j.id, j.completed_at from public.jobs j
    where j.completed_at < v_before and j.parent_job_id is null
    order by j.completed_at limit p_batch
    for update skip locked
  ), sized as (
    select old.id, row_number() over oldest_first as number,
      sum(1 + (select count(*) from public.jobs c where c.parent_job_id = old.id))
        over oldest_first as jobs
    from old
    window oldest_first as (order by old.completed_at, old.id)
  )
  delete from public.jobs
  where id = any (array(select s.id from sized s where s.jobs <= p_batch or s.number = 1));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$$;
comment on function public.prune_jobs(integer) is
  'Deletes jobs that ended more than retention_days ago with all below them: at least one, else no more than p_batch jobs with their children. Answers how many roots.';
revoke execute on function public.prune_jobs(integer) from public, anon, authenticated;
grant execute on function public.prune_jobs(integer) to service_role;

-- Batch after batch, for five seconds of each kind, so that what is deleted in a minute is more than what thousands
-- of jobs a minute leave behind.
create function millrace.prune() returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_until timestamptz := clock_timestamp() + interval '5 seconds';
  v_jobs integer := 0;
  v_events integer := 0;
  v_deleted integer;
begin
  for i in 1..20 loop
    v_deleted := public.prune_jobs();
    v_jobs := v_jobs + v_deleted;
    exit when v_deleted = 0 or clock_timestamp() > v_until;
  end loop;
  v_until := clock_timestamp() + interval '5 seconds';
  for i in 1..20 loop
    v_deleted := millrace.prune_events();
    v_events := v_events + v_deleted;
    exit when v_deleted = 0 or clock_timestamp() > v_until;
  end loop;
  delete from public.orchestrators where last_turn_at < millrace.now() - interval '1 hour';
  return jsonb_build_object('jobs', v_jobs, 'events', v_events, 'slots', millrace.prune_slots());
end;
$$;
comment on function millrace.prune() is
  'Deletes what is older than retention_days, for five seconds or 20 batches each of jobs and of events, and what nobody uses: slots, dead orchestrators. Answers {jobs (roots), events, slots}.';
revoke execute on function millrace.prune() from public;
grant execute on function millrace.prune() to service_role;

select cron.schedule('millrace-tick', '5 seconds', 'select public.tick()');
select cron.schedule('millrace-prune', '* * * * *', 'select millrace.prune()');
-- pg_cron never prunes its own log.
select cron.schedule('millrace-prune-cron-log', '23 * * * *',
  'delete from cron.job_run_details where end_time < now() - interval ''1 day''');
