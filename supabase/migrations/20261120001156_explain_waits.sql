-- Why a job waits: for a slot, a start, a lease, a retry, or for what its step waits for.

create function millrace.explain_pending(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_slot record;
begin
  if p_job.wanted_slot is not null then
    select * into strict v_slot from millrace.explain_slot(p_job.id);
    return millrace.explained('waits_for_slot',
      format('Job waits for a slot of ''%s'': %s of %s running, %s before it',
        p_job.wanted_slot, coalesce(v_slot.in_use, 0), coalesce(v_slot.capacity, 0),
        millrace.say_count(v_slot.jobs_before, 'job', 'jobs')),
      'Nothing to do: it starts when those before it have ended; for more at a time raise the limit ('
        || case when p_job.wanted_slot = p_job.slot_key then 'max_concurrency of the map'
          else 'concurrency.max_running of the workflow' end || ')',
      jsonb_build_object('slot', p_job.wanted_slot, 'in_use', coalesce(v_slot.in_use, 0),
        'capacity', coalesce(v_slot.capacity, 0), 'jobs_before', v_slot.jobs_before));
  elsif p_job.next_run_at <= v_now then
    return millrace.explain_due(p_job);
  elsif p_job.state ? 'not_before' then
    return millrace.explained('waits_for_rate_limit',
      format('Job waits for its turn in the rate limit of workflow ''%s'' and starts at %s',
        p_job.workflow_id, millrace.say_time(p_job.next_run_at, v_now)),
      'Nothing to do: it starts by itself; for more starts raise rate_limit.max_starts of the workflow',
      jsonb_build_object('starts_at', p_job.next_run_at));
  elsif p_job.next_run_at is not null then
    return millrace.explained('scheduled',
      format('Job is scheduled to start at %s', millrace.say_time(p_job.next_run_at, v_now)),
      'Nothing to do: it starts by itself', jsonb_build_object('starts_at', p_job.next_run_at));
  end if;
  return millrace.explained('unknown', 'Job is pending with no time at which it is looked at and no slot to wait for',
    'Report this: it is a fault of the engine', '{}'::jsonb);
end;
$$;
comment on function millrace.explain_pending(public.jobs) is
  'waits_for_slot, waits_for_rate_limit, scheduled, or what explain_due says of a due job.';

create function millrace.explain_lease(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_attempt text := coalesce(p_job.state ->> 'attempt', '1');
  v_owner text := left(p_job.lease_token::text, 8) || '…';
  v_outage millrace.explanation;
  v_details jsonb := jsonb_build_object('orchestrator', p_job.lease_token,
    'lease_expires_at', p_job.next_run_at, 'redeliveries', p_job.redeliveries);
begin
  if p_job.next_run_at > v_now then
    return millrace.explained('leased',
      format('Step ''%s'' is being made (attempt %s) by orchestrator %s, whose lease expires in %s (%s)',
        p_job.current_step_id, v_attempt, v_owner, millrace.say_duration(p_job.next_run_at - v_now),
        millrace.say_clock(p_job.next_run_at)),
      case when (p_job.state ->> 'paused')::boolean
        then 'A pause is requested: the job stops when the attempt ends; resume it to have it go on'
        else 'Nothing to do: it goes on when the attempt ends, and another orchestrator takes over when the lease expires'
      end,
      v_details);
  end if;
  v_outage := millrace.explain_outage(p_job);
  if v_outage.reason is not null then
    return v_outage;
  end if;
  return millrace.explained('lease_expired',
    format('The lease of orchestrator %s on step ''%s'' (attempt %s) expired at %s: it was lost',
      v_owner, p_job.current_step_id, v_attempt, millrace.say_time(p_job.next_run_at, v_now)),
    case when p_job.redeliveries > 0
      then format('Another orchestrator takes it over, as happened %s before: look at the logs of the executor, which may be killed by this step',
        millrace.say_count(p_job.redeliveries, 'time', 'times'))
      else 'Nothing to do: another orchestrator takes it over within moments' end,
    v_details);
end;
$$;
comment on function millrace.explain_lease(public.jobs) is 'leased or lease_expired.';

create function millrace.explain_retry(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_again text := format('step ''%s'' is tried again at %s', p_job.current_step_id,
    millrace.say_time(p_job.next_retry_at, v_now));
  v_details jsonb := jsonb_build_object('retries_at', p_job.next_retry_at,
    'retry_count', p_job.retry_count, 'error', p_job.error);
begin
  if p_job.error ->> 'code' in ('executor_unreachable', 'executor_crashed') then
    return millrace.explained('executor_failing',
      format('%s; %s', p_job.error_message, v_again),
      case p_job.error ->> 'code'
        when 'executor_crashed' then format('Look at the logs of the %s: it was killed or lost while it worked', millrace.say_executor(p_job.id))
        else format('Deploy the %s and check its logs', millrace.say_executor(p_job.id)) end,
      v_details || jsonb_build_object('executor', millrace.explain_executor(p_job.id)));
  end if;
  return millrace.explained('waits_for_retry',
    format('Step ''%s'' failed with %s (%s) and is tried again at %s', p_job.current_step_id,
      p_job.error ->> 'code', p_job.error_message, millrace.say_time(p_job.next_retry_at, v_now)),
    'Nothing to do: it is tried again by itself', v_details);
end;
$$;
comment on function millrace.explain_retry(public.jobs) is 'waits_for_retry or executor_failing.';

create function millrace.explain_approval(p_job public.jobs, p_until text)
returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_approval public.approvals;
  v_whom text;
begin
  select a.* into v_approval from public.approvals a
  where a.job_id = p_job.id and a.status = 'open'
  order by a.created_at desc limit 1;
  if v_approval.id is null then
    return millrace.explained('waits_for_approval',
      format('Step ''%s'' waits for a decision that has been made or withdrawn', p_job.current_step_id),
      'Nothing to do: an orchestrator takes it up within moments', '{}'::jsonb);
  end if;
  v_whom := coalesce(
    (select string_agg(a, ', ') from (select unnest(v_approval.assignees) as a limit 10) as listed)
      || case when cardinality(v_approval.assignees) > 10 then ', …' else '' end,
    case when v_approval.assignees is null then 'the owner of the job' else 'nobody' end);
  return millrace.explained('waits_for_approval',
    format('Step ''%s'' waits for the decision of %s on ''%s'' %s', p_job.current_step_id, v_whom,
      left(v_approval.title, 200), p_until),
    format('Decide approval %s at POST /approvals/%s/decision', v_approval.id, v_approval.id),
    jsonb_build_object('approval_id', v_approval.id, 'title', v_approval.title,
      'assignees', v_approval.assignees, 'allow_self', v_approval.allow_self,
      'expires_at', v_approval.expires_at));
end;
$$;
comment on function millrace.explain_approval(public.jobs, text) is
  'waits_for_approval, with whom it is waited for.';

revoke execute on function millrace.explain_pending(public.jobs), millrace.explain_lease(public.jobs),
  millrace.explain_retry(public.jobs), millrace.explain_approval(public.jobs, text) from public;
grant execute on function millrace.explain_pending(public.jobs), millrace.explain_lease(public.jobs),
  millrace.explain_retry(public.jobs), millrace.explain_approval(public.jobs, text)
  to authenticated, service_role;
