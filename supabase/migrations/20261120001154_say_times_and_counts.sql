-- Times and counts in sentences for people.

create function millrace.say_duration(p_duration interval) returns text
language sql immutable strict set search_path = ''
as $$
  -- Minutes, hours and days only where there are two of them.
  select case
    when s < 1 then 'less than a second'
    when s < 120 then floor(s) || ' s'
    when s < 7200 then floor(s / 60) || ' minutes'
    when s < 172800 then floor(s / 3600) || ' hours'
    else floor(s / 86400) || ' days'
  end
  from (select abs(extract(epoch from p_duration)) as s) as seconds
$$;
comment on function millrace.say_duration(interval) is
  'A duration, rounded down: 12 s, 5 minutes, 3 hours, 2 days.';
revoke execute on function millrace.say_duration(interval) from public;
grant execute on function millrace.say_duration(interval) to authenticated, service_role;

create function millrace.say_clock(p_time timestamptz) returns text
language sql immutable strict set search_path = ''
as $$ select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;
comment on function millrace.say_clock(timestamptz) is 'A time in UTC: 2030-01-31T12:00:00Z.';
revoke execute on function millrace.say_clock(timestamptz) from public;
grant execute on function millrace.say_clock(timestamptz) to authenticated, service_role;

create function millrace.say_time(p_time timestamptz, p_now timestamptz) returns text
language sql immutable strict set search_path = ''
as $$
  select format(case when p_time > p_now then '%s (in %s)' else '%s (%s ago)' end,
    millrace.say_clock(p_time), millrace.say_duration(p_time - p_now))
$$;
comment on function millrace.say_time(timestamptz, timestamptz) is
  'A time, absolute and relative: 2030-01-31T12:00:00Z (in 5 minutes).';
revoke execute on function millrace.say_time(timestamptz, timestamptz) from public;
grant execute on function millrace.say_time(timestamptz, timestamptz) to authenticated, service_role;

create function millrace.say_count(p_count bigint, p_one text, p_many text) returns text
language sql immutable strict set search_path = ''
as $$ select p_count || ' ' || case when p_count = 1 then p_one else p_many end $$;
comment on function millrace.say_count(bigint, text, text) is 'A count with its noun: 1 job, 2 jobs.';
revoke execute on function millrace.say_count(bigint, text, text) from public;
grant execute on function millrace.say_count(bigint, text, text) to authenticated, service_role;
