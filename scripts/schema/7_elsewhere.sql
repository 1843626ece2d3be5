-- What migrations put into other schemas: policies, triggers, default privileges, cron jobs.
select statement from (
  select 1 as rank, format('create policy %I on %I.%I%s for %s to %s%s%s;', p.policyname, p.schemaname,
    p.tablename, case p.permissive when 'PERMISSIVE' then '' else ' as restrictive' end, lower(p.cmd),
    array_to_string(p.roles, ', '), E'\n  using (' || p.qual || ')',
    E'\n  with check (' || p.with_check || ')') as statement
  from pg_policies p
  where p.schemaname not in ('public', 'millrace', 'cron', 'vault', 'auth')
  union all
  select 2, pg_get_triggerdef(t.oid) || ';'
  from pg_trigger t
  join pg_class c on c.oid = t.tgrelid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid
  where not t.tgisinternal and n.nspname not in ('public', 'millrace')
    and p.pronamespace in (select s.oid from pg_namespace s where s.nspname in ('public', 'millrace'))
  union all
  select 3, format('alter default privileges for role %s%s grant %s on %s to %s;', d.defaclrole::regrole,
    coalesce(' in schema ' || n.nspname, ''),
    lower(string_agg(acl.privilege_type, ', ' order by acl.privilege_type)),
    case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
      when 'T' then 'types' else 'schemas' end,
    case when acl.grantee = 0 then 'public' else acl.grantee::regrole::text end)
  from pg_default_acl d
  left join pg_namespace n on n.oid = d.defaclnamespace
  cross join lateral aclexplode(d.defaclacl) as acl
  where (n.nspname is null or n.nspname in ('public', 'millrace')) and d.defaclrole = 'postgres'::regrole
    and acl.grantee <> d.defaclrole
  group by d.defaclrole, n.nspname, d.defaclobjtype, acl.grantee
  union all
  select 4, format('select cron.schedule(%L, %L, %L);', j.jobname, j.schedule, j.command)
  from cron.job j
) as found
order by rank, statement collate "C"
