-- The SQL surface of pg_net. The local stack plays the background worker: it listens on
-- `millrace_net`, which is delivered when the transaction that queued a request commits.
create schema net;

create domain net.http_method as text
  check (value ilike 'get' or value ilike 'post' or value ilike 'delete');

create unlogged table net.http_request_queue (
  id bigserial,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);

create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create index _http_response_created_idx on net._http_response (created);

create function net._urlencode_string(string varchar) returns text
language sql immutable strict set search_path = '' as $$
  select coalesce(pg_catalog.string_agg(
    case when c ~ '^[A-Za-z0-9_.~-]$' then c
      else pg_catalog.regexp_replace(
        upper(pg_catalog.encode(pg_catalog.convert_to(c, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
    end, '' order by n), '')
  from pg_catalog.regexp_split_to_table($1, '') with ordinality as t(c, n)
$$;

create function net._enqueue(
  p_method text, p_url text, p_params jsonb, p_headers jsonb, p_body jsonb, p_timeout_ms integer
) returns bigint language plpgsql security definer set search_path = '' as $$
declare
  v_query text;
  v_id bigint;
begin
  select pg_catalog.string_agg(
      net._urlencode_string(key) || '=' || net._urlencode_string(value), '&')
    into v_query from pg_catalog.jsonb_each_text(p_params);
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (
    p_method,
    p_url || case when v_query is null then '' when p_url like '%?%' then '&' else '?' end
      || coalesce(v_query, ''),
    p_headers, pg_catalog.convert_to(p_body::text, 'UTF8'), p_timeout_ms
  )
  returning id into v_id;
  perform pg_catalog.pg_notify('millrace_net', '');
  return v_id;
end $$;

create function net.http_get(
  url text, params jsonb default '{}', headers jsonb default '{}',
  timeout_milliseconds integer default 5000
) returns bigint language sql strict security definer set search_path = '' as $$
  select net._enqueue('GET', $1, $2, $3, null, $4)
$$;

create function net.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}',
  timeout_milliseconds integer default 5000, body jsonb default null
) returns bigint language sql security definer set search_path = '' as $$
  select net._enqueue('DELETE', $1, $2, $3, $5, $4)
$$;

create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 5000
) returns bigint language plpgsql security definer set search_path = '' as $$
declare
  v_content_type text;
begin
  select value into v_content_type
    from pg_catalog.jsonb_each_text(coalesce(headers, '{}')) h
    where lower(h.key) = 'content-type' limit 1;
  if v_content_type is null then
    headers := coalesce(headers, '{}') || '{"Content-Type": "application/json"}';
  elsif v_content_type <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  if body is null then
    raise exception 'body must not be null';
  end if;
  return net._enqueue('POST', url, params, headers, body, timeout_milliseconds);
end $$;

revoke all on all functions in schema net from public;
grant usage on schema net to postgres, anon, authenticated, service_role;
grant execute on function net.http_get, net.http_post, net.http_delete
  to postgres, anon, authenticated, service_role;
grant all on all tables in schema net to postgres;
grant all on all sequences in schema net to postgres;
