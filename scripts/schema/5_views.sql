-- Views and materialised views, with options, indexes, grants and comments.
select concat_ws(E'\n',
  format(E'create %s %I.%I%s as\n%s', case c.relkind when 'v' then 'view' else 'materialized view' end,
    n.nspname, c.relname,
    case when c.reloptions is null then '' else format(' with (%s)', array_to_string(c.reloptions, ', ')) end,
    pg_get_viewdef(c.oid)),
  (
    select string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\n'
      order by i.indexrelid::regclass::text collate "C")
    from pg_index i where i.indrelid = c.oid
  ),
  (
    select string_agg(format('grant %s on %I.%I to %s;', lower(granted.list), n.nspname, c.relname,
      granted.grantee), E'\n' order by granted.grantee collate "C")
    from (
      select case when acl.grantee = 0 then 'public' else acl.grantee::regrole::text end as grantee,
        string_agg(acl.privilege_type, ', ' order by acl.privilege_type) as list
      from aclexplode(c.relacl) as acl where acl.grantee <> c.relowner group by 1
    ) as granted
  ),
  (
    select string_agg(
      case when d.objsubid = 0 then format('comment on view %I.%I is %L;', n.nspname, c.relname, d.description)
        else format('comment on column %I.%I.%I is %L;', n.nspname, c.relname, a.attname, d.description) end,
      E'\n' order by d.objsubid)
    from pg_description d
    left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid
    where d.objoid = c.oid and d.classoid = 'pg_class'::regclass
  )) as statement
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'millrace') and c.relkind in ('v', 'm')
order by n.nspname collate "C", c.relname collate "C"
