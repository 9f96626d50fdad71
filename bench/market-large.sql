-- SPDX-License-Identifier: Apache-2.0
--
-- Market data for benchmarks, in parts that can be loaded side by side. With scale=1 the whole is 2 GB as
-- pg_dump's text, which zstd -1 makes 3 to 4 times smaller, as real ticks and news do.
--
--   psql -v part=schema -f market-large.sql DB       first
--   psql -v part=trades -v scale=1 -f …              then these, in any order: trades quotes bars news orders
--   psql -v part=keys -f …                           last

set client_min_messages = warning;
set max_parallel_workers_per_gather = 0;
set synchronous_commit = off;
set timezone = 'UTC';
set jit = off;
set maintenance_work_mem = '256MB';
\if :{?scale} \else \set scale 1 \endif
select :'part' = 'schema' as is_schema, :'part' = 'trades' as is_trades, :'part' = 'quotes' as is_quotes,
       :'part' = 'bars' as is_bars, :'part' = 'news' as is_news, :'part' = 'orders' as is_orders,
       :'part' = 'keys' as is_keys, setseed(0.5)
\gset

\if :is_schema
create schema market;
create schema news;
create type market.side as enum ('buy', 'sell', 'unknown');

create table market.instrument (id integer primary key, symbol text not null unique, name text not null, tags text[]);
insert into market.instrument
select n, upper(substr(md5(n::text), 1, 4)) || n, 'Company ' || md5('name' || n),
       array['tag' || n % 7, 'sector ' || n % 11]
from generate_series(1, 5000) as n;

create table market.trade (
    traded_at timestamptz not null, instrument_id integer not null, price numeric(14, 4) not null,
    quantity integer not null, side market.side not null, venue smallint not null, order_ref bigint
) partition by range (traded_at);
create table market.trade_q1 partition of market.trade for values from ('2026-01-01') to ('2026-04-01');
create table market.trade_q2 partition of market.trade for values from ('2026-04-01') to ('2026-07-01');
create table market.trade_q3 partition of market.trade for values from ('2026-07-01') to ('2026-10-01');
create table market.trade_q4 partition of market.trade for values from ('2026-10-01') to ('2027-01-01');

create table market.quote (
    at timestamptz not null, instrument_id integer not null, bid double precision, ask double precision,
    bid_size integer, ask_size integer
);
create table market.daily_bar (
    instrument_id integer not null, day date not null, open numeric(14, 4), high numeric(14, 4), low numeric(14, 4),
    close numeric(14, 4), volume bigint
);
create table news.article (
    id bigint generated always as identity, published timestamptz not null, headline text not null, body text not null,
    payload jsonb not null
);
create table market."Orders & Fills" (
    id uuid not null, account integer not null, instrument_id integer not null, placed timestamptz not null,
    amount numeric(16, 2), note text
);
\endif

\if :is_trades
-- 10 million trades a year; their times rise by a random step, busy instruments come more often.
insert into market.trade
select timestamptz '2026-01-01 00:00+00' + n * (interval '364 days' / (10000000 * :scale))
           + random() * interval '3 seconds',
       i, round(((20 + i % 480) * (1 + 0.2 * sin(n / 3e5 + i)) + random() * 2)::numeric, 2),
       (array[1, 5, 10, 50, 100, 100, 200, 300, 500, 1000])[1 + (random() * 9)::int],
       (array['buy', 'sell', 'unknown'])[1 + (random() * 2)::int]::market.side, (random() * 12)::int,
       case when random() < 0.3 then (random() * 1e10)::bigint end
from (select n, 1 + (4999 * power(random(), 3))::int as i
      from generate_series(1, (10000000 * :scale)::bigint) as n) as tick;
\endif

\if :is_quotes
insert into market.quote
select timestamptz '2026-06-01 08:00+00' + n * interval '1.7 milliseconds', i, mid - spread, mid + spread,
       (random() * 50)::int * 100, (random() * 50)::int * 100
from (select n, i, round(((20 + i % 480) * (1 + 0.2 * sin(n / 3e5 + i)) + random() * 2)::numeric, 2)::float8 as mid,
             (1 + (random() * 3)::int) / 100.0 as spread
      from (select n, 1 + (4999 * power(random(), 3))::int as i
            from generate_series(1, (10500000 * :scale)::bigint) as n) as a) as b;
\endif

\if :is_bars
insert into market.daily_bar
select i, date '2016-01-04' + d, round((p * (1 + random() / 100))::numeric, 2),
       round((p * 1.01 + random())::numeric, 2), round((p * 0.99 - random())::numeric, 2),
       round((p * (1 + random() / 100))::numeric, 2), (random() * 5e6)::bigint
from (select i, d, (20 + i % 480) * (1 + 0.3 * sin(d / 200.0 + i)) as p
      from generate_series(1, (1900 * :scale)::int) as i, generate_series(0, 2599) as d) as a;
\endif

\if :is_news
-- Words by frequency, as a natural language has them; sentences of words; articles of sentences.
set work_mem = '128MB';

create temporary table word as
select n as id, (select string_agg(substr('eaiorntslcudpmhgbfywkvxzjq', 1 + (25 * power(random(), 1.6))::int, 1), '')
                 from generate_series(1, 2 + n % 2 + (power(random(), 1.5) * 8)::int)) as text
from generate_series(0, 7999) as n;

create temporary table sentence as
select place.sentence as id, initcap(min(w.text)) || ' ' || string_agg(w.text, ' ') || '.' as text
from (select n as sentence, (7999 * power(random(), 4))::int as word
      from generate_series(0, 59999) as n, generate_series(1, 8 + n % 9)) as place
     join word as w on w.id = place.word
group by 1;

insert into news.article (published, headline, body, payload)
select timestamptz '2025-01-01' + n * interval '7 minutes', min(s.text), string_agg(s.text, ' '),
       jsonb_build_object('symbols', jsonb_build_array((random() * 5000)::int, (random() * 5000)::int),
                          'urgent', random() > 0.9, 'score', round(random()::numeric, 4), 'source', 'wire ' || n % 9,
                          'editor', null)
from (select n, (59999 * random())::int as sentence
      from generate_series(1, (180000 * :scale)::int) as n, generate_series(1, 11 + n % 17)) as place
     join sentence as s on s.id = place.sentence
group by n;
\endif

\if :is_orders
insert into market."Orders & Fills"
select md5(n::text)::uuid, (random() * 20000)::int, 1 + (random() * 4999)::int,
       timestamptz '2026-01-05' + n * interval '9 seconds', round((random() * 1e6)::numeric, 2),
       case when n % 5 = 0 then 'filled in ' || (random() * 9)::int || ' parts at the open' end
from generate_series(1, (1650000 * :scale)::int) as n;
\endif

\if :is_keys
alter table news.article add primary key (id);
alter table market.daily_bar add primary key (instrument_id, day);
alter table market."Orders & Fills" add primary key (id);
alter table market."Orders & Fills" add foreign key (instrument_id) references market.instrument;
create index on market.trade (instrument_id, traded_at);
create index on market.quote using brin (at);
create index on news.article using gin (payload jsonb_path_ops);
vacuum analyze;
checkpoint;
\endif
