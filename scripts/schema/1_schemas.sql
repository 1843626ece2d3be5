-- Schemas, their grants, and the extensions that migrations ask for.
select format('create schema %I;', n.nspname)
  || coalesce(E'\n' || (
    select string_agg(
      format('grant %s on schema %I to %s;', lower(privileges), n.nspname, grantee),
      E'\n' order by grantee collate "C")
    from (
      select case when acl.grantee = 0 then 'public' else acl.grantee::regrole::text end as grantee,
        string_agg(acl.privilege_type, ', ' order by acl.privilege_type) as privileges
      from aclexplode(n.nspacl) as acl
      where acl.grantee <> n.nspowner
      group by 1
    ) as granted), '')
  || coalesce(E'\n' || format('comment on schema %I is ', n.nspname)
    || quote_literal(obj_description(n.oid, 'pg_namespace')) || ';', '') as statement
from pg_namespace n
where n.nspname in ('public', 'millrace')
union all
select format('create extension %I schema %I;', e.extname, n.nspname)
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname in ('pg_cron', 'pg_net', 'pgcrypto', 'uuid-ossp')
order by 1
