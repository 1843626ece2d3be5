-- The SQL surface of Supabase Vault. Locally a secret is only base64 at rest, not encrypted: what
-- guards it is the permission on the data folder.
create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea,
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);
create unique index secrets_name_idx on vault.secrets (name) where name is not null;

create view vault.decrypted_secrets as
select id, name, description, secret,
  convert_from(decode(secret, 'base64'), 'utf8') as decrypted_secret,
  key_id, nonce, created_at, updated_at
from vault.secrets;

create function vault._encode(p_secret text) returns text
language sql immutable strict set search_path = '' as $$
  select pg_catalog.encode(pg_catalog.convert_to($1, 'utf8'), 'base64')
$$;

create function vault.create_secret(
  new_secret text, new_name text default null, new_description text default '',
  new_key_id uuid default null
) returns uuid language sql security definer set search_path = '' as $$
  insert into vault.secrets (secret, name, description)
  values (vault._encode($1), $2, $3) returning id
$$;

create function vault.update_secret(
  secret_id uuid, new_secret text default null, new_name text default null,
  new_description text default null, new_key_id uuid default null
) returns void language sql security definer set search_path = '' as $$
  update vault.secrets set
    secret = coalesce(vault._encode($2), secret),
    name = coalesce($3, name),
    description = coalesce($4, description),
    updated_at = pg_catalog.now()
  where id = $1
$$;

revoke all on all functions in schema vault from public;
grant usage on schema vault to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete, truncate, references on vault.secrets, vault.decrypted_secrets
  to postgres with grant option;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on function vault.create_secret, vault.update_secret
  to postgres with grant option;
grant execute on function vault.create_secret, vault.update_secret to service_role;
