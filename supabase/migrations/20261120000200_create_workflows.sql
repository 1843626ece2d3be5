-- What can run: transformers (reusable units of work), workflows (definitions), and every version
-- of a definition that a job may be pinned to.

create table public.transformers (
  id text primary key
    constraint transformers_id_format check (id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$'),
  type text not null constraint transformers_type_length check (length(type) between 1 and 100),
  description text,
  config jsonb not null default '{}'::jsonb
    constraint transformers_config_object check (jsonb_typeof(config) = 'object'),
  -- A function's name and nothing else: it becomes a part of a URL.
  target_function text not null
    constraint transformers_target_function_format
      check (target_function ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
  batch_size integer not null default 20
    constraint transformers_batch_size_range check (batch_size between 1 and 1000),
  retry jsonb constraint transformers_retry_object check (jsonb_typeof(retry) = 'object'),
  created_at timestamptz not null default millrace.now(),
  updated_at timestamptz not null default millrace.now()
);
comment on table public.transformers is
  'Reusable units of work: which Edge Function does it, with which configuration. No secrets here: config names environment variables.';
comment on column public.transformers.batch_size is 'How many tasks may travel to the executor in one call.';
comment on column public.transformers.retry is 'Retry policy for steps whose step and definition set none.';
create index transformers_type_idx on public.transformers (type);

create table public.workflows (
  id text primary key
    constraint workflows_id_format check (id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$'),
  description text,
  definition jsonb not null,
  version integer not null default 1 constraint workflows_version_positive check (version > 0),
  created_at timestamptz not null default millrace.now(),
  updated_at timestamptz not null default millrace.now()
);
comment on table public.workflows is
  'Workflow definitions. A change of definition makes a new version; running jobs keep theirs.';
comment on column public.workflows.version is 'Current version; kept by the database.';

create table public.workflow_versions (
  workflow_id text not null
    constraint workflow_versions_workflow_fk references public.workflows (id) on delete cascade,
  version integer not null,
  definition jsonb not null,
  start_step text not null generated always as (definition ->> 'start_step') stored,
  created_at timestamptz not null default millrace.now(),
  constraint workflow_versions_pk primary key (workflow_id, version)
);
comment on table public.workflow_versions is
  'Every version of every definition, immutable: a job is pinned to the version it started with.';

-- A counter that changes with the catalog. Being a row, it is seen exactly when the change that
-- bumped it is: whoever reads the same revision twice may keep what it cached in between.
create table millrace.catalog (
  id boolean primary key default true constraint catalog_one_row check (id),
  revision bigint not null default 1
);
comment on table millrace.catalog is 'Revision of the transformers, one row; orchestrators cache by it.';
alter table millrace.catalog enable row level security;
insert into millrace.catalog default values;

create function millrace.bump_catalog() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update millrace.catalog set revision = revision + 1;
  return null;
end;
$$;
comment on function millrace.bump_catalog() is 'Tells orchestrators to read the transformers again.';
revoke execute on function millrace.bump_catalog() from public;

create trigger transformers_bump_catalog
  after insert or update or delete or truncate on public.transformers
  for each statement execute function millrace.bump_catalog();
create trigger transformers_touch_updated_at
  before update on public.transformers
  for each row execute function millrace.touch_updated_at();
create trigger workflows_touch_updated_at
  before update on public.workflows
  for each row execute function millrace.touch_updated_at();

-- The version is the database's: it counts definitions, whatever the writer says.
create function millrace.number_workflow_version() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    new.version := 1;
  elsif new.definition is distinct from old.definition then
    new.version := old.version + 1;
  else
    new.version := old.version;
  end if;
  return new;
end;
$$;
comment on function millrace.number_workflow_version() is 'Counts a workflow''s versions.';
revoke execute on function millrace.number_workflow_version() from public;

create function millrace.keep_workflow_version() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.workflow_versions (workflow_id, version, definition)
  values (new.id, new.version, new.definition)
  on conflict on constraint workflow_versions_pk do nothing;
  return null;
end;
$$;
comment on function millrace.keep_workflow_version() is 'Keeps each version of a definition.';
revoke execute on function millrace.keep_workflow_version() from public;

create trigger workflows_number_version
  before insert or update on public.workflows
  for each row execute function millrace.number_workflow_version();
create trigger workflows_keep_version
  after insert or update of definition on public.workflows
  for each row execute function millrace.keep_workflow_version();

create function millrace.refuse_version_change() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'Cannot change version % of workflow ''%'': versions are immutable, update public.workflows instead',
    old.version, old.workflow_id using errcode = 'MR004';
end;
$$;
comment on function millrace.refuse_version_change() is 'Raises MR004: versions are immutable.';
revoke execute on function millrace.refuse_version_change() from public;
create trigger workflow_versions_immutable
  before update on public.workflow_versions
  for each row execute function millrace.refuse_version_change();

alter table public.transformers enable row level security;
alter table public.workflows enable row level security;
alter table public.workflow_versions enable row level security;
revoke all on public.transformers, public.workflows, public.workflow_versions
  from anon, authenticated, service_role;
grant select, insert, update, delete on public.transformers, public.workflows to service_role;
grant select on public.workflow_versions to service_role;
grant select on public.workflows to authenticated;
create policy workflows_select_authenticated on public.workflows
  for select to authenticated using (true);
