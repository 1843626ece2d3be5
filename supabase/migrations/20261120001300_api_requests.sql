-- What the API needs to keep in Postgres: how much each user has asked for, and how long it took.

-- Unlogged and without a foreign key: a count of this minute is worth neither a flush of the log
-- nor a lock on the user's row.
create unlogged table public.rate_limits (
  user_id uuid not null,
  scope text not null,
  window_start timestamptz not null,
  used integer not null constraint rate_limits_used_positive check (used > 0),
  constraint rate_limits_pk primary key (user_id, scope)
);
comment on table public.rate_limits is 'Requests of each user in the current window, one row per user and scope.';

create function public.consume_rate_limit(
  p_user_id uuid, p_scope text, p_limit integer, p_window_seconds integer
) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_window_start timestamptz := date_bin(make_interval(secs => p_window_seconds), v_now, 'epoch');
  v_used integer;
begin
  insert into public.rate_limits as r (user_id, scope, window_start, used)
  values (p_user_id, p_scope, v_window_start, 1)
  on conflict on constraint rate_limits_pk do update
  set window_start = v_window_start,
      -- No further than one past the limit: a flood cannot overflow the counter.
      used = case when r.window_start = v_window_start then least(r.used, p_limit) + 1 else 1 end
  returning r.used into v_used;
  return jsonb_build_object(
    'allowed', v_used <= p_limit,
    'remaining', greatest(p_limit - v_used, 0),
    'retry_after_seconds', case when v_used <= p_limit then 0 else
      ceil(extract(epoch from v_window_start + make_interval(secs => p_window_seconds) - v_now)) end);
end;
$$;
comment on function public.consume_rate_limit(uuid, text, integer, integer) is
  'Counts one request of a user in the current window of p_window_seconds. Answers {allowed, remaining, retry_after_seconds}.';
revoke execute on function public.consume_rate_limit(uuid, text, integer, integer)
  from public, anon, authenticated;
grant execute on function public.consume_rate_limit(uuid, text, integer, integer) to service_role;

-- Unlogged: measurements may be lost in a crash, and must not cost the log a byte.
create unlogged table public.api_requests (
  endpoint text not null,
  method text not null,
  status smallint not null,
  duration_ms real not null,
  created_at timestamptz not null default millrace.now()
);
comment on table public.api_requests is 'Answered API requests with their duration; kept for a day.';
create index api_requests_created_at_idx on public.api_requests using brin (created_at);

create function public.record_api_requests(p_requests jsonb) returns void
language sql set search_path = ''
as $$
  insert into public.api_requests (endpoint, method, status, duration_ms)
  select r.endpoint, r.method, r.status, r.duration_ms
  from jsonb_to_recordset(p_requests)
    as r (endpoint text, method text, status smallint, duration_ms real)
$$;
comment on function public.record_api_requests(jsonb) is
  'Keeps measurements of answered requests: [{endpoint, method, status, duration_ms}].';
revoke execute on function public.record_api_requests(jsonb) from public, anon, authenticated;
grant execute on function public.record_api_requests(jsonb) to service_role;

alter table public.rate_limits enable row level security;
alter table public.api_requests enable row level security;
revoke all on public.rate_limits, public.api_requests from anon, authenticated, service_role;
grant select, insert, update, delete on public.rate_limits, public.api_requests to service_role;

select cron.schedule('millrace-prune-api-requests', '41 * * * *', $$
  delete from public.api_requests where created_at < now() - interval '1 day';
  delete from public.rate_limits where window_start < now() - interval '1 day'
$$);
