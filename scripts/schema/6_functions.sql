-- Functions, with grants (public's default is named where it holds) and comments.
select concat_ws(E'\n',
  rtrim(pg_get_functiondef(p.oid), E'\n') || ';',
  (
    select string_agg(format('grant execute on function %s to %s;', this.name, granted.grantee), E'\n'
      order by granted.grantee collate "C")
    from (
      select case when acl.grantee = 0 then 'public' else acl.grantee::regrole::text end as grantee
      from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as acl
      where acl.grantee <> p.proowner
    ) as granted
  ),
  'comment on function ' || this.name || ' is ' || quote_literal(obj_description(p.oid, 'pg_proc'))
    || ';') as statement
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join lateral (
  select format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as name
) as this
where n.nspname in ('public', 'millrace') and p.prokind in ('f', 'p')
  and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass
    and d.deptype = 'e')
order by this.name collate "C"
