-- Enumerations and domains.
select case t.typtype
    when 'e' then format('create type %I.%I as enum (%s);', n.nspname, t.typname, (
      select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
      from pg_enum e where e.enumtypid = t.oid))
    else format('create domain %I.%I as %s%s%s;', n.nspname, t.typname,
      format_type(t.typbasetype, t.typtypmod),
      case when t.typnotnull then ' not null' else '' end,
      coalesce((
        select string_agg(format(E'\n  constraint %I %s', c.conname, pg_get_constraintdef(c.oid)),
          '' order by c.conname collate "C")
        from pg_constraint c where c.contypid = t.oid and c.contype = 'c'), ''))
  end as statement
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where n.nspname in ('public', 'millrace') and t.typtype in ('e', 'd')
order by n.nspname collate "C", t.typname collate "C"
