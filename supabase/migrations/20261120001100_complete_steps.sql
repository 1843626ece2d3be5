-- Callbacks: whoever holds a task's token finishes its step, once, through the job's mailbox.

-- A token is base64url(job_id:step_id:visit:attempt) "." base64url(HMAC-SHA256). Nothing has to be
-- stored for it, and it can be made before the attempt is recorded.
create function millrace.read_callback_token(p_token text)
returns table (job_id uuid, step_id text, visit integer, attempt integer)
language plpgsql stable set search_path = ''
as $$
declare
  v_body text := split_part(p_token, '.', 1);
  v_expected text;
  v_parts text[];
begin
  select translate(encode(extensions.hmac(v_body, s.callback_secret, 'sha256'), 'base64'), '+/=', '-_')
  into v_expected from millrace.settings s;
  -- Compared by their hashes, so that the time it takes tells nothing about the signature.
  if extensions.digest(split_part(p_token, '.', 2), 'sha256') <> extensions.digest(v_expected, 'sha256')
    or p_token is null then
    raise exception 'Cannot finish step as the token is not one of ours' using errcode = 'MR005';
  end if;
  v_parts := string_to_array(convert_from(decode(
    translate(v_body, '-_', '+/') || repeat('=', (4 - length(v_body) % 4) % 4), 'base64'), 'UTF8'), ':');
  return query select v_parts[1]::uuid, v_parts[2], v_parts[3]::integer, v_parts[4]::integer;
end;
$$;
comment on function millrace.read_callback_token(text) is
  'The attempt that a callback token names. Raises MR005 when the token is forged or garbled.';
revoke execute on function millrace.read_callback_token(text) from public;
grant execute on function millrace.read_callback_token(text) to service_role;

create function millrace.post_step_result(p_token text, p_result jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_attempt record;
  v_bytes integer := millrace.json_bytes(coalesce(p_result -> 'output', p_result -> 'error'));
begin
  if v_bytes > 4194304 then
    raise exception 'Cannot finish step as its result must be <= 4194304 bytes: current size is %',
      v_bytes using errcode = 'MR006';
  end if;
  select * into strict v_attempt from millrace.read_callback_token(p_token);
  insert into public.job_inbox (job_id, kind, step_id, visit, attempt, payload)
  select j.id, 'step_result', v_attempt.step_id, v_attempt.visit, v_attempt.attempt, p_result
  from public.jobs j where j.id = v_attempt.job_id;
  if not found then
    raise exception 'Cannot finish step as there is no job %', v_attempt.job_id using errcode = 'MR002';
  end if;
  return jsonb_build_object('job_id', v_attempt.job_id, 'step_id', v_attempt.step_id);
end;
$$;
comment on function millrace.post_step_result(text, jsonb) is
  'Puts a result into the mailbox of the job that a token names. Raises MR002, MR005, MR006, MR007.';
revoke execute on function millrace.post_step_result(text, jsonb) from public;
grant execute on function millrace.post_step_result(text, jsonb) to service_role;

create function public.complete_step(p_token text, p_output jsonb) returns jsonb
language sql set search_path = ''
as $$ select millrace.post_step_result(p_token, jsonb_build_object('status', 'completed', 'output', p_output)) $$;
comment on function public.complete_step(text, jsonb) is
  'Completes the step that a callback token names with this output. Answers {job_id, step_id}. Raises MR002 (no such job), MR005 (token), MR006 (output too large), MR007 (job has ended). A result for an attempt that is over is recorded as late and dropped.';

create function public.fail_step(p_token text, p_error jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
begin
  if jsonb_typeof(p_error -> 'code') is distinct from 'string'
    or jsonb_typeof(p_error -> 'message') is distinct from 'string' then
    raise exception 'Cannot fail step as p_error must be {code, message, …}: current value is %',
      left(p_error::text, 200) using errcode = 'MR008';
  end if;
  return millrace.post_step_result(p_token, jsonb_build_object('status', 'failed', 'error', p_error));
end;
$$;
comment on function public.fail_step(text, jsonb) is
  'Fails the attempt that a callback token names with {code, message, retryable?, details?, retry_after_seconds?}; its retry policy decides what follows. Raises MR002, MR005, MR006, MR007, MR008 (malformed error).';

revoke execute on function public.complete_step(text, jsonb), public.fail_step(text, jsonb)
  from public, anon, authenticated;
grant execute on function public.complete_step(text, jsonb), public.fail_step(text, jsonb)
  to service_role;
