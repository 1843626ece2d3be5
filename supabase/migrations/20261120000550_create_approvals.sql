-- Approvals: questions to people. The commit that parks a job writes the question, decide_approval()
-- writes the answer; both stay, so that who decided what and when can be looked up later.

-- How an assignee is compared: user ids and email addresses whatever their case, roles as written.
create function millrace.assignee_keys(p_assignees text[]) returns text[]
language sql immutable set search_path = ''
as $$
  select case when p_assignees is not null then array(
    select case
        when a like '%@%' or a ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then lower(a)
        else a
      end
    from unnest(p_assignees) as a)
  end
$$;
comment on function millrace.assignee_keys(text[]) is
  'Assignees as they are compared: ids and addresses in lower case, roles as they are.';
revoke execute on function millrace.assignee_keys(text[]) from public;
grant execute on function millrace.assignee_keys(text[]) to authenticated, service_role;

-- Read once a statement, not once a row: policies call it in a sub-select. Roles are those of
-- app_metadata, which a user cannot write himself.
create function millrace.caller_keys() returns text[]
language sql stable set search_path = ''
as $$
  select array_remove(
    millrace.assignee_keys(array[(select auth.uid())::text, nullif(claims.jwt ->> 'email', '')])
    || array(
      select jsonb_array_elements_text(case jsonb_typeof(claims.jwt #> '{app_metadata,roles}')
        when 'array' then claims.jwt #> '{app_metadata,roles}' else '[]' end))
    || (claims.jwt #>> '{app_metadata,role}'), null)
  from (select coalesce((select auth.jwt()), '{}') as jwt) as claims
$$;
comment on function millrace.caller_keys() is
  'What an approval may be assigned to that means the caller: his id, his email address and his roles (app_metadata.roles and app_metadata.role of his token).';
revoke execute on function millrace.caller_keys() from public;
grant execute on function millrace.caller_keys() to authenticated, service_role;

create table public.approvals (
  id uuid primary key default gen_random_uuid(),
  job_id uuid not null constraint approvals_job_fk references public.jobs (id) on delete cascade,
  step_id text not null,
  visit integer not null constraint approvals_visit_positive check (visit > 0),
  attempt integer not null constraint approvals_attempt_positive check (attempt > 0),
  user_id uuid not null,
  title text not null,
  details jsonb,
  assignees text[],
  assignee_keys text[] generated always as (millrace.assignee_keys(assignees)) stored,
  form jsonb,
  allow_self boolean not null default true,
  status text not null default 'open' constraint approvals_status_known
    check (status in ('open', 'approved', 'rejected', 'expired', 'cancelled')),
  decided_by uuid,
  decided_at timestamptz,
  notes text constraint approvals_notes_length check (length(notes) <= 10000),
  form_data jsonb constraint approvals_form_data_size
    check (pg_column_size(form_data) <= 512 or millrace.json_bytes(form_data) <= 1048576),
  created_at timestamptz not null default millrace.now(),
  expires_at timestamptz,
  constraint approvals_attempt_asks_once unique (job_id, step_id, visit, attempt),
  constraint approvals_closed_has_time check ((status = 'open') = (decided_at is null)),
  constraint approvals_only_decisions_have_answers check (status in ('approved', 'rejected')
    or (decided_by is null and notes is null and form_data is null))
);
comment on table public.approvals is
  'Questions to people, one row per attempt of a step that asks, with the answer; decide with decide_approval().';
comment on column public.approvals.user_id is 'The owner of the job.';
comment on column public.approvals.assignees is
  'User ids, email addresses and roles of those who may decide; null: the owner of the job.';
comment on column public.approvals.assignee_keys is 'The assignees as they are compared.';
comment on column public.approvals.form is 'JSON Schema of the form that goes with the decision; null: none.';
comment on column public.approvals.allow_self is 'Whether the owner of the job may decide.';
comment on column public.approvals.decided_by is
  'Who approved or rejected; null where the service role did so for nobody in particular.';
comment on column public.approvals.decided_at is 'When it was decided, expired or was withdrawn.';
create index approvals_user_created_idx on public.approvals (user_id, created_at desc, id desc);
create index approvals_assignee_keys_idx on public.approvals using gin (assignee_keys);

alter table public.approvals enable row level security;
revoke all on public.approvals from anon, authenticated, service_role;
grant select, insert, update, delete on public.approvals to service_role;
grant select on public.approvals to authenticated;
create policy approvals_select_own_and_assigned on public.approvals
  for select to authenticated
  using ((select auth.uid()) = user_id or assignee_keys && (select millrace.caller_keys()));

create function millrace.may_decide(p_owner_id uuid, p_assignee_keys text[], p_allow_self boolean)
returns boolean
language sql stable set search_path = ''
as $$
  select coalesce(
    (p_allow_self or p_owner_id <> (select auth.uid()))
      and case when p_assignee_keys is null then p_owner_id = (select auth.uid())
        else p_assignee_keys && (select millrace.caller_keys()) end,
    false)
$$;
comment on function millrace.may_decide(uuid, text[], boolean) is
  'Whether the caller is one of those who may decide an approval of this owner with these assignee_keys; allow_self false: never the owner.';
revoke execute on function millrace.may_decide(uuid, text[], boolean) from public;
grant execute on function millrace.may_decide(uuid, text[], boolean) to authenticated, service_role;

-- The inbox of a person: what one sees, and of that what one may decide.
create view public.approval_inbox with (security_invoker = true) as
select a.id, a.job_id, a.step_id, a.visit, a.attempt, a.user_id, a.title, a.details, a.assignees,
  a.form, a.allow_self, a.status, a.decided_by, a.decided_at, a.notes, a.form_data, a.created_at,
  a.expires_at,
  millrace.may_decide(a.user_id, a.assignee_keys, a.allow_self) as may_decide
from public.approvals a;
comment on view public.approval_inbox is
  'Approvals that the caller sees, with whether he may decide them (may_decide): filter by it and by status for an inbox.';
revoke all on public.approval_inbox from anon, authenticated, service_role;
grant select on public.approval_inbox to authenticated, service_role;
