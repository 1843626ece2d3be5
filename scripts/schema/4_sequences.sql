-- Sequences of their own (those of identity columns come with their tables).
select concat_ws(E'\n',
  format('create sequence %I.%I as %s increment by %s minvalue %s maxvalue %s start with %s%s;',
    n.nspname, c.relname, format_type(s.seqtypid, null), s.seqincrement, s.seqmin, s.seqmax,
    s.seqstart, case when s.seqcycle then ' cycle' else '' end),
  (
    select string_agg(format('grant %s on sequence %I.%I to %s;', lower(granted.list), n.nspname,
      c.relname, granted.grantee), E'\n' order by granted.grantee collate "C")
    from (
      select case when acl.grantee = 0 then 'public' else acl.grantee::regrole::text end as grantee,
        string_agg(acl.privilege_type, ', ' order by acl.privilege_type) as list
      from aclexplode(c.relacl) as acl where acl.grantee <> c.relowner group by 1
    ) as granted
  )) as statement
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_sequence s on s.seqrelid = c.oid
where n.nspname in ('public', 'millrace')
  and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass
    and d.deptype = 'i')
order by n.nspname collate "C", c.relname collate "C"
