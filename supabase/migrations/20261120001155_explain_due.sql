-- Why a job that is due is not taken: nobody works, or others come first.

create type millrace.explanation as (
  reason text,
  explanation text,
  action text,
  details jsonb
);
comment on type millrace.explanation is
  'Why a job does not move: a code, a sentence, what to do, and the figures behind it.';
grant usage on type millrace.explanation to authenticated, service_role;

create function millrace.explained(p_reason text, p_explanation text, p_action text, p_details jsonb)
returns millrace.explanation
language sql immutable set search_path = ''
as $$ select p_reason, p_explanation, p_action, p_details $$;
comment on function millrace.explained(text, text, text, jsonb) is 'An explanation of these parts.';
revoke execute on function millrace.explained(text, text, text, jsonb) from public;
grant execute on function millrace.explained(text, text, text, jsonb) to authenticated, service_role;

-- Only where no orchestrator has shown up for two ticks: while one works, the platform is well.
create function millrace.explain_outage(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_platform record;
  v_due text := 'the job has been due since ' || millrace.say_time(p_job.next_run_at, v_now);
  v_details jsonb;
begin
  select * into strict v_platform from millrace.explain_platform();
  if p_job.next_run_at > v_now - interval '10 seconds'
    or v_platform.last_turn_at > v_now - interval '10 seconds' then
    return null;
  end if;
  v_details := jsonb_build_object('due_since', p_job.next_run_at,
    'last_tick_at', v_platform.last_tick_at, 'last_turn_at', v_platform.last_turn_at);
  if v_platform.missing_secrets <> '{}' then
    return millrace.explained('not_configured',
      format('The database cannot call workflow-orchestrator without the %s %s, and %s',
        case cardinality(v_platform.missing_secrets) when 1 then 'Vault secret' else 'Vault secrets' end,
        array_to_string(v_platform.missing_secrets, ' and '), v_due),
      'Set them by SQL: ' || (
        select string_agg(format('select vault.create_secret(<value>, ''%s'')', name), '; ')
        from unnest(v_platform.missing_secrets) as name),
      v_details || jsonb_build_object('missing_secrets', v_platform.missing_secrets));
  elsif v_platform.tick_is_missing then
    return millrace.explained('cron_stopped',
      format('No tick has come %s: pg_cron does not run, and %s',
        case when v_platform.last_tick_at is null then 'since the database started'
          else format('for %s (since %s)', millrace.say_duration(v_now - v_platform.last_tick_at),
            millrace.say_clock(v_platform.last_tick_at)) end,
        v_due),
      'Enable pg_cron and look at its job ''millrace-tick'' in cron.job and cron.job_run_details',
      v_details);
  elsif v_platform.kick_problem is not null then
    return millrace.explained('orchestrator_unreachable',
      format('The database called workflow-orchestrator, which %s; %s', v_platform.kick_problem, v_due),
      'Deploy workflow-orchestrator, and check its logs and the Vault secrets millrace_project_url and millrace_secret_key',
      v_details || jsonb_build_object('problem', v_platform.kick_problem));
  end if;
  return null;
end;
$$;
comment on function millrace.explain_outage(public.jobs) is
  'What keeps the platform from taking up a due job: not_configured, cron_stopped, orchestrator_unreachable; null for nothing.';
revoke execute on function millrace.explain_outage(public.jobs) from public;
grant execute on function millrace.explain_outage(public.jobs) to authenticated, service_role;

create function millrace.explain_due(p_job public.jobs) returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_outage millrace.explanation := millrace.explain_outage(p_job);
  v_before integer;
  v_is_late boolean := p_job.next_run_at < v_now - interval '1 minute';
begin
  if v_outage.reason is not null then
    return v_outage;
  end if;
  v_before := millrace.explain_queue(p_job.id);
  return millrace.explained(
    case when p_job.status = 'pending' and p_job.queue_place is not null then 'not_started'
      else 'due' end,
    format('Job has been due since %s, with %s before it',
      millrace.say_time(p_job.next_run_at, v_now),
      millrace.say_count(v_before, 'due job', 'due jobs')),
    case when v_is_late
      then 'Look at the view alerts; where more is due than the orchestrators take, raise max_orchestrators in millrace.settings'
      else 'Nothing to do: an orchestrator takes it up within moments' end,
    jsonb_build_object('due_since', p_job.next_run_at, 'jobs_before', v_before,
      'priority', p_job.priority));
end;
$$;
comment on function millrace.explain_due(public.jobs) is
  'Why a due job is not taken: not_started (in the start queue), due, or what explain_outage finds.';
revoke execute on function millrace.explain_due(public.jobs) from public;
grant execute on function millrace.explain_due(public.jobs) to authenticated, service_role;
