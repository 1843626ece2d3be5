-- What explain_job() must know and its caller cannot read: slots, orchestrators, the queue, signs
-- of life. Each look-up is about a job of the caller's and tells counts and times, nothing of
-- anybody else's job.

create function millrace.explain_slot(
  p_job_id uuid, out capacity integer, out in_use integer, out jobs_before integer
)
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := millrace.require_caller();
begin
  select s.capacity, s.in_use, (
    select count(*) from (
      select from public.jobs other
      where other.wanted_slot = j.wanted_slot and (other.priority > j.priority
        or (other.priority = j.priority
          and (other.created_at, coalesce(other.item_index, 0)) < (j.created_at, coalesce(j.item_index, 0))))
      limit 10000
    ) as before)
  into capacity, in_use, jobs_before
  from public.jobs j
  left join millrace.slots s on s.key = j.wanted_slot
  where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id);
end;
$$;
comment on function millrace.explain_slot(uuid) is
  'The slots of the key that a job of the caller''s waits for, and how many jobs (up to 10000) are to get one before it.';
revoke execute on function millrace.explain_slot(uuid) from public;
grant execute on function millrace.explain_slot(uuid) to authenticated, service_role;

-- Within a priority, work that was begun goes before jobs that are to start.
create function millrace.explain_queue(p_job_id uuid) returns integer
language plpgsql stable security definer
set search_path = '' set enable_seqscan = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_user_id uuid := millrace.require_caller();
  v_job public.jobs;
  v_level integer;
  v_before integer := 0;
begin
  select j.* into v_job from public.jobs j
  where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id);
  if not found then
    return null;
  end if;
  for v_level in v_job.priority..9 loop
    v_before := v_before + (
      select count(*) from (
        select from public.jobs other
        where other.priority = v_level and other.queue_place is null and other.next_run_at <= v_now
          and (v_level > v_job.priority or v_job.queue_place is not null
            or other.next_run_at < v_job.next_run_at)
        limit 10000) as timed) + (
      select count(*) from (
        select from public.jobs other
        where other.priority = v_level and other.queue_place is not null
          and (v_level > v_job.priority or other.queue_place < v_job.queue_place)
        limit 10000) as queued);
  end loop;
  return v_before;
end;
$$;
comment on function millrace.explain_queue(uuid) is
  'How many due jobs are taken before this due one of the caller''s, roughly; of each priority at most 10000 of either queue are counted.';
revoke execute on function millrace.explain_queue(uuid) from public;
grant execute on function millrace.explain_queue(uuid) to authenticated, service_role;

create function millrace.explain_executor(p_job_id uuid) returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := millrace.require_caller();
begin
  return (
    select t.target_function
    from public.jobs j
    join public.job_steps s on s.job_id = j.id and s.step_id = j.current_step_id
    join public.transformers t on t.id = s.transformer_id
    where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id)
    order by s.visit desc, s.attempt desc
    limit 1);
end;
$$;
comment on function millrace.explain_executor(uuid) is
  'The function that made the last attempt of the current step of a job of the caller''s.';
revoke execute on function millrace.explain_executor(uuid) from public;
grant execute on function millrace.explain_executor(uuid) to authenticated, service_role;

create function millrace.say_executor(p_job_id uuid) returns text
language sql stable set search_path = ''
as $$
  select coalesce('function ''' || millrace.explain_executor(p_job_id) || '''',
    'function of the step''s transformer')
$$;
comment on function millrace.say_executor(uuid) is 'The function of the current step in words.';
revoke execute on function millrace.say_executor(uuid) from public;
grant execute on function millrace.say_executor(uuid) to authenticated, service_role;

create function millrace.explain_mailbox(p_job_id uuid) returns text[]
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_user_id uuid := millrace.require_caller();
begin
  return array(
    select m.kind from public.jobs j join public.job_inbox m on m.job_id = j.id
    where j.id = p_job_id and (v_user_id is null or j.user_id = v_user_id)
    order by m.id limit 20);
end;
$$;
comment on function millrace.explain_mailbox(uuid) is
  'The kinds of the first 20 unread messages of a job of the caller''s.';
revoke execute on function millrace.explain_mailbox(uuid) from public;
grant execute on function millrace.explain_mailbox(uuid) to authenticated, service_role;

create function millrace.explain_platform(
  out last_turn_at timestamptz, out last_tick_at timestamptz, out tick_is_missing boolean,
  out missing_secrets text[], out kick_problem text
)
language plpgsql stable security definer set search_path = ''
as $$
begin
  select s.missing_secrets, s.last_tick_at, s.kick_problem
  into missing_secrets, last_tick_at, kick_problem
  from millrace.platform_state() as s;
  select max(o.last_turn_at) into last_turn_at from public.orchestrators o;
  select coalesce(last_tick_at, '-infinity')
    < millrace.now() - make_interval(secs => s.alert_tick_seconds)
  into tick_is_missing from millrace.settings s;
end;
$$;
comment on function millrace.explain_platform() is
  'Signs of life: the last turn of any orchestrator and the last tick; names of Vault secrets that are not set; what was wrong with the last kick.';
revoke execute on function millrace.explain_platform() from public;
grant execute on function millrace.explain_platform() to authenticated, service_role;
