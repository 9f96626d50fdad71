-- SPDX-License-Identifier: Apache-2.0
--
-- One line for every table and materialised view of the database: name, rows, and a hash over all rows that
-- does not depend on their order. Two more lines cover the sequences and the large objects. Run it in two
-- databases and compare.

set timezone = 'UTC';
set extra_float_digits = 3;

-- The hashes of the rows are added, modulo 2^62.
create function pg_temp.as_hash(sum numeric) returns text language sql
return coalesce(to_hex(mod(sum, 2 ^ 62::numeric)::bigint), '0');

select format('select %L, count(*), pg_temp.as_hash(sum(hashtextextended(t::text, 0)::numeric)) from %I.%I as t',
              quote_ident(n.nspname) || '.' || quote_ident(c.relname), n.nspname, c.relname)
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm') and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
order by (n.nspname || '.' || c.relname) collate "C"
\gexec

select '(sequences)', count(*), pg_temp.as_hash(sum(hashtextextended(
           format('%I.%I %s', schemaname, sequencename, last_value), 0)::numeric))
from pg_sequences;

select '(large objects)', count(*), pg_temp.as_hash(sum(hashtextextended(oid || ' ' || md5(lo_get(oid)), 0)::numeric))
from pg_largeobject_metadata;
