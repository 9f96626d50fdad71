-- SPDX-License-Identifier: Apache-2.0
--
-- A made-up market: some 200 MB of instruments, daily bars, trades, news and a back office, generated
-- inside the server, the same at every run. It uses most kinds of object that a real database has, so
-- that a restore has something to prove.
--
-- Load it into an empty database:  psql -v ON_ERROR_STOP=1 -f market.sql market

\set QUIET on
set client_min_messages = warning;
set max_parallel_workers_per_gather = 0; -- one order of rows, so that random() gives the same data everywhere
set timezone = 'UTC';
set jit = off;
set work_mem = '128MB';
set maintenance_work_mem = '256MB';
select setseed(0.20261122) \g /dev/null

-- Roles -------------------------------------------------------------------------------------------

create role market_analyst nologin;
create role "feed handler" login;

-- Extensions, schemas, types ----------------------------------------------------------------------

create extension pg_trgm;
create extension btree_gist;

create schema ref;
create schema market;
create schema news;
create schema "Back Office";

comment on schema ref is 'What is traded, where, in which currency';
comment on schema "Back Office" is 'Names with blanks and quotes, as the old system had them';

create type ref.asset_class as enum ('equity', 'etf', 'bond', 'future', 'fx');
create type market.side as enum ('buy', 'sell', 'unknown');
create type market.price_band as (low numeric(14, 4), high numeric(14, 4));
create domain ref.isin as text check (value ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$');

-- Reference data ----------------------------------------------------------------------------------

create table ref.currency (
    code char(3) primary key,
    name text not null,
    digits smallint not null default 2
);

create table ref.venue (
    id smallserial primary key,
    mic char(4) not null unique,
    name text not null,
    time_zone text not null,
    opens time not null,
    closes time not null,
    location point
);

create table ref.instrument (
    id integer generated always as identity primary key,
    symbol text not null unique,
    name text not null,
    isin ref.isin not null unique,
    class ref.asset_class not null,
    currency char(3) not null references ref.currency,
    venue_id smallint not null references ref.venue,
    listed date not null,
    tags text[] not null default '{}',
    tick_ladder numeric(10, 4)[],
    attributes jsonb not null default '{}',
    lot_size integer not null default 1 check (lot_size > 0)
);

create table ref.trading_halt (
    id bigserial primary key,
    instrument_id integer not null references ref.instrument on delete cascade,
    during tstzrange not null,
    reason text,
    exclude using gist (instrument_id with =, during with &&)
);

insert into ref.currency values
    ('USD', 'US dollar', 2), ('EUR', 'euro', 2), ('GBP', 'pound sterling', 2), ('JPY', 'yen', 0),
    ('CHF', 'Swiss franc', 2), ('CNY', 'renminbi', 2), ('SEK', 'Swedish krona', 2);

insert into ref.venue (mic, name, time_zone, opens, closes, location) values
    ('XNYS', 'New York Stock Exchange', 'America/New_York', '09:30', '16:00', point(-74.011, 40.707)),
    ('XNAS', 'Nasdaq', 'America/New_York', '09:30', '16:00', point(-73.986, 40.757)),
    ('XLON', 'London Stock Exchange', 'Europe/London', '08:00', '16:30', point(-0.099, 51.515)),
    ('XETR', 'Xetra', 'Europe/Berlin', '09:00', '17:30', point(8.677, 50.116)),
    ('XPAR', 'Euronext Paris', 'Europe/Paris', '09:00', '17:30', point(2.341, 48.869)),
    ('XTKS', '東京証券取引所', 'Asia/Tokyo', '09:00', '15:00', point(139.778, 35.681)),
    ('XSWX', 'SIX Swiss Exchange', 'Europe/Zurich', '09:00', '17:30', point(8.530, 47.373)),
    ('XSTO', 'Nasdaq Stockholm', 'Europe/Stockholm', '09:00', '17:30', point(18.091, 59.345));

-- Two word lists joined make 1,600 company names.
insert into ref.instrument (symbol, name, isin, class, currency, venue_id, listed, tags, tick_ladder, attributes,
                            lot_size)
select upper(left(first, 2) || left(second, 2)) || to_char(n, 'FM0000'),
       first || ' ' || second || ' ' || (array['Inc.', 'plc', 'AG', 'SE', 'S.A.', 'K.K.', 'AB'])[1 + n % 7],
       (array['US', 'GB', 'DE', 'FR', 'JP', 'CH', 'SE'])[1 + n % 7]
           || upper(substr(md5('isin' || n), 1, 9)) || (n % 10),
       (array['equity', 'equity', 'equity', 'equity', 'etf', 'bond', 'future', 'fx'])[1 + n % 8]::ref.asset_class,
       (array['USD', 'GBP', 'EUR', 'EUR', 'JPY', 'CHF', 'SEK'])[1 + n % 7],
       1 + n % 8,
       date '1975-01-02' + (random() * 17000)::int,
       (array['{energy,"large cap"}', '{technology,growth,"semi\"conductors"}', '{finance}', '{}',
              '{health care,defensive}', '{consumer,"dividend, growing"}'])[1 + n % 6]::text[],
       case when n % 5 = 0 then null else array[0.01, 0.05, 0.1, 0.5] end,
       jsonb_build_object('sector', (array['energy', 'tech', 'finance', 'health', 'consumer'])[1 + n % 5],
                          'employees', (random() * 200000)::int,
                          'ratings', jsonb_build_array('AA', null, (random() * 10)::int),
                          'index', case when n % 3 = 0 then
                              jsonb_build_object('name', 'MX 500', 'weight', round(random()::numeric, 6)) end),
       (array[1, 1, 1, 10, 100])[1 + n % 5]
from (select (row_number() over () - 1)::integer as n, x.word as first, y.word as second
      from unnest(string_to_array('Aldan Borealis Cobalt Delphi Ember Fjord Granite Harrow Indigo Juniper '
                                  'Kestrel Lumen '
                                  'Marlin Nimbus Orchid Paragon Quartz Raven Sable Tundra Umber Vector Willow Xenon '
                                  'Yarrow Zephyr Anchor Beacon Cinder Drift Echo Falcon Garnet Helix Ivory Jasper '
                                  'Keystone Lattice Meridian North', ' ')) as x (word),
           unnest(string_to_array('Energy Systems Bank Foods Pharma Mining Robotics Airways Chemicals Water '
                                  'Optics Steel '
                                  'Media Logistics Insurance Motors Power Software Textiles Timber Shipping Telecom '
                                  'Materials Devices Biotech Retail Capital Paper Glass Rail Cement Semiconductor '
                                  'Aerospace Wind Solar Storage Data Health Housing Trust', ' ')) as y (word)) as names;

insert into ref.trading_halt (instrument_id, during, reason)
select 1 + n * 3, tstzrange(t, t + interval '20 minutes'), (array['volatility', 'news pending', null])[1 + n % 3]
from generate_series(0, 399) as n,
     lateral (select timestamptz '2026-04-01 10:00+00' + n * interval '6 hours' as t) as start;

-- Daily bars: a random walk for each of 600 instruments over 650 trading days ---------------------

create table market.daily_bar (
    instrument_id integer not null,
    day date not null,
    open numeric(14, 4) not null,
    high numeric(14, 4) not null,
    low numeric(14, 4) not null,
    close numeric(14, 4) not null,
    volume bigint not null,
    turnover numeric(24, 2) generated always as (round(close * volume, 2)) stored,
    band market.price_band
);

create temporary table walk as
select instrument_id, day,
       (20 + instrument_id % 180) * exp(sum(0.018 * (random() + random() + random() - 1.5)) over w) as close,
       random() as a, random() as b, random() as c
from generate_series(1, 600) as instrument_id,
     (select d::date as day
      from generate_series(date '2024-03-28', date '2026-09-30', interval '1 day') as d
      where extract(isodow from d) < 6) as days
window w as (partition by instrument_id order by day);

insert into market.daily_bar (instrument_id, day, open, high, low, close, volume, band)
select instrument_id, day,
       round((close * (0.995 + a / 100))::numeric, 2), round((close * (1.005 + b / 50))::numeric, 2),
       round((close * (0.995 - c / 50))::numeric, 2), round(close::numeric, 2),
       (1000 * exp(5 * b + 3 * power(1 - instrument_id / 601.0, 4)))::bigint,
       case when c < 0.05 then
           row (round((close * 0.8)::numeric, 2), round((close * 1.2)::numeric, 2))::market.price_band end
from walk;

-- Trades: partitioned by month, busy instruments more often ---------------------------------------

create table market.trade (
    traded_at timestamptz not null,
    instrument_id integer not null,
    price numeric(14, 4) not null,
    quantity integer not null,
    side market.side not null,
    venue_id smallint not null,
    order_ref uuid,
    flags bit(8) not null default b'00000000'
) partition by range (traded_at);

create table market.trade_2026_04 partition of market.trade
    for values from ('2026-04-01 00:00+00') to ('2026-05-01 00:00+00');
create table market.trade_2026_05 partition of market.trade
    for values from ('2026-05-01 00:00+00') to ('2026-06-01 00:00+00');
create table market.trade_2026_06 partition of market.trade
    for values from ('2026-06-01 00:00+00') to ('2026-07-01 00:00+00');
create table market.trade_2026_07 partition of market.trade
    for values from ('2026-07-01 00:00+00') to ('2026-08-01 00:00+00');
create table market.trade_2026_08 partition of market.trade
    for values from ('2026-08-01 00:00+00') to ('2026-09-01 00:00+00');
create table market.trade_2026_09 partition of market.trade
    for values from ('2026-09-01 00:00+00') to ('2026-10-01 00:00+00');
create table market.trade_other partition of market.trade default;

insert into market.trade (traded_at, instrument_id, price, quantity, side, venue_id, order_ref, flags)
select day + interval '8 hours'
           + make_interval(secs => round((30600 * (0.5 + 0.5 * sin(pi() * (r - 0.5))))::numeric, 3)::float8),
       instrument_id, round((close * (0.99 + s / 50))::numeric, 2),
       (array[1, 10, 50, 100, 100, 200, 500])[1 + (r * 1000)::int % 7],
       (array['buy', 'sell', 'sell', 'buy', 'unknown'])[1 + (s * 1000)::int % 5]::market.side, 1 + instrument_id % 8,
       case when s < 0.15 then md5(r::text || s::text)::uuid end,
       ((r * 7)::int)::bit(8)
from (select day, instrument_id, close, random() as r, random() as s
      from walk, generate_series(1, (3 + 40 * power(1 - instrument_id / 601.0, 4))::int)
      where day >= '2026-04-01') as ticks
order by 1;

drop table walk;

-- News: text search, jsonb, a web of links --------------------------------------------------------

create table news.source (
    id serial primary key,
    name text not null unique,
    website text,
    trust real check (trust between 0 and 1)
);

create table news.article (
    id bigint generated by default as identity (start with 1000) primary key,
    source_id integer not null references news.source,
    published timestamptz not null,
    headline text not null,
    body text not null,
    payload jsonb not null,
    sentiment double precision,
    search tsvector generated always as (
        setweight(to_tsvector('english', headline), 'A') || to_tsvector('english', body)) stored
);

create table news.mention (
    article_id bigint not null references news.article on delete cascade,
    instrument_id integer not null references ref.instrument,
    weight real not null,
    primary key (article_id, instrument_id)
);

insert into news.source (name, website, trust) values
    ('Morning Ledger', 'https://ledger.example', 0.9), ('The Tape', 'https://tape.example', 0.7),
    ('Agence Marché', 'https://marche.example', 0.85), ('株式日報', null, 0.8), ('O''Brien''s Letter', null, 0.35);

create temporary table phrase as
select array['beat expectations for the third quarter', 'cut its outlook on weaker demand in Asia',
             'will buy back shares worth $2 billion', 'named a new chief executive',
             'is said to explore a sale of its rail unit', 'raised its dividend for the twelfth year in a row',
             'settled a patent dispute', 'opened a plant near Gdańsk',
             'recalled 40,000 units', 'won a ten-year supply contract', 'reported an outage at its largest data centre',
             'filed for approval of a new therapy', 'refinanced its 2029 notes', 'joined the MX 500 index'] as events,
       array['Analysts had expected less.', 'The shares rose in early trading, then gave back their gains.',
             'Two people familiar with the matter spoke on condition of anonymity.', 'The company declined to comment.',
             'Margins narrowed as freight and energy costs climbed.', 'Management spoke of "a year of transition".',
             'The order book stands at its highest since 2019.', 'Regulators in Brussels will decide by spring.',
             'Currency effects took away three points of growth.',
             'A spokesperson said that customers were not affected.',
             'The board will meet again on the 14th.', 'Inventories fell for the fifth month running.',
             'Short interest has doubled since March.', 'The bonds traded two points higher.',
             'Investors will look for detail on capital spending.', 'Peers fell in sympathy.',
             'It is the third such move in the sector this year.',
             'The result excludes a one-off tax gain.'] as sentences;

insert into news.article (source_id, published, headline, body, payload, sentiment)
select 1 + n % 5, timestamptz '2025-01-01 06:00+00' + n * interval '51 minutes',
       i.name || ' ' || phrase.events[1 + (r * 13)::int], text.body,
       jsonb_build_object('symbols', jsonb_build_array(i.symbol), 'words', length(text.body), 'urgent', r > 0.93,
                          'markets', jsonb_build_object('before', round((r * 100)::numeric, 2),
                                                        'after', round((r * 101)::numeric, 2)),
                          'language', (array['en', 'en', 'fr', 'ja', 'en'])[1 + n % 5], 'editor', null),
       case when n % 11 = 0 then 'NaN' when n % 7 = 0 then null else sin(n) end
from (select n, random() as r, 1 + (power(random(), 2) * 1599)::int as instrument_id
      from generate_series(1, 18000) as n) as a
     join ref.instrument as i on i.id = a.instrument_id, phrase,
     lateral (select string_agg(phrase.sentences[1 + (random() * 17)::int] || ' ' || i.name || ' traded at '
                                || round((20 + random() * 180)::numeric, 2) || '.', E'\n' order by s) as body
              from generate_series(1, 4 + a.n % 9) as s) as text
order by n;

drop table phrase;

insert into news.mention (article_id, instrument_id, weight)
select distinct on (1, 2) a.id, 1 + (a.id * k * 7919 % 1600)::int, 1.0 / k
from news.article as a, generate_series(1, 3) as k
order by 1, 2;

-- The back office: hostile names ------------------------------------------------------------------

create table "Back Office"."Client Accounts" (
    "Account No" integer generated always as identity (increment by 7) primary key,
    "Client's Name" text not null,
    "Credit ""hard"" limit" numeric(16, 2),
    opened date not null,
    "e-mail" text,
    secret bytea,
    address inet,
    active boolean not null default true
);

create table "Back Office"."Orders & Fills" (
    "Order ID" uuid primary key,
    "Account No" integer not null references "Back Office"."Client Accounts",
    instrument_id integer not null references ref.instrument,
    "placed at" timestamptz not null,
    amount money,
    valid_for interval,
    note varchar(200)
);

create table "Back Office".audit_log (
    id bigserial primary key,
    at timestamptz not null default clock_timestamp(),
    who text not null default session_user,
    what text not null,
    old_row jsonb,
    new_row jsonb
);

create table "Back Office"."Empty; drop table students" (id integer primary key, "select" text, "Ünïcode 表" text);

create table "Back Office".research_report (
    id integer generated always as identity primary key,
    title text not null,
    document oid not null
);

insert into "Back Office"."Client Accounts" ("Client's Name", "Credit ""hard"" limit", opened, "e-mail", secret,
                                            address)
select (array['D''Arcy', 'Müller', 'O''Neil', 'Zhào', 'de la Cruz', 'Smith "Smitty"', E'Back\\slash',
              E'Tab\there'])[1 + n % 8] || ' ' || n,
       case when n % 9 = 0 then null else round((random() * 1e7)::numeric, 2) end, date '2009-05-04' + n % 6000,
       'client' || n || '@mail.example', decode(md5('secret' || n), 'hex'),
       ('10.' || n % 250 || '.' || n % 199 || '.' || n % 251)::inet
from generate_series(1, 5000) as n;

insert into "Back Office"."Orders & Fills"
select md5('order' || n)::uuid, 1 + 7 * (n * 31 % 5000), 1 + n * 17 % 1600,
       timestamptz '2026-01-05 08:00+00' + n * interval '5 minutes', (random() * 100000)::numeric::money,
       case when n % 4 = 0 then interval '1 mon 2 days 03:04:05.678' end,
       case n % 50
           when 0 then '' when 1 then E'two\nlines' when 2 then '\N' when 3 then 'ends with a backslash\'
           when 4 then 'naïve – 注文 – 🙂' end
from generate_series(0, 59999) as n;

-- A large object of 1 MB that does not compress, and a small one that does.
insert into "Back Office".research_report (title, document)
select 'Outlook 2027', lo_from_bytea(0, (select string_agg(decode(md5('page' || n), 'hex'), ''::bytea order by n)
                                         from generate_series(1, 65536) as n));
insert into "Back Office".research_report (title, document)
select 'Disclaimer', lo_from_bytea(0, convert_to(repeat('Past performance does not tell. ', 2000), 'UTF8'));

-- Functions, triggers, views ----------------------------------------------------------------------

create function ref.instrument_id(wanted text) returns integer language sql stable strict
return (select i.id from ref.instrument as i where i.symbol = wanted);

create function "Back Office".write_audit() returns trigger language plpgsql as $$
begin
    insert into "Back Office".audit_log (what, old_row, new_row)
    values (tg_op || ' ' || tg_table_name, case when tg_op <> 'INSERT' then to_jsonb(old) end,
            case when tg_op <> 'DELETE' then to_jsonb(new) end);
    return coalesce(new, old);
end
$$;

create function market.add_weighted(state numeric[], price numeric, quantity numeric) returns numeric[]
language sql immutable strict
return array[state[1] + price * quantity, state[2] + quantity];

create function market.divide_weighted(state numeric[]) returns numeric language sql immutable strict
return state[1] / nullif(state[2], 0);

create aggregate market.vwap(price numeric, quantity numeric) (
    sfunc = market.add_weighted, stype = numeric[], finalfunc = market.divide_weighted, initcond = '{0,0}');

create procedure market.refresh_summaries() language plpgsql as $$
begin
    refresh materialized view market.monthly_summary;
end
$$;

create trigger audit_accounts after insert or update or delete on "Back Office"."Client Accounts"
    for each row execute function "Back Office".write_audit();

update "Back Office"."Client Accounts" set active = false where "Account No" % 13 = 0;

create view market.latest_bar as
select i.symbol, b.*
from ref.instrument as i
     join lateral (select day, open, high, low, close, volume from market.daily_bar
                   where instrument_id = i.id order by day desc limit 1) as b on true;

create view "Back Office"."Top ""10"" Clients" with (security_barrier) as
select "Client's Name", "Credit ""hard"" limit"
from "Back Office"."Client Accounts"
where active
order by 2 desc nulls last limit 10;

create materialized view market.monthly_summary as
select instrument_id, date_trunc('month', day)::date as month, min(low) as low, max(high) as high,
       sum(volume) as volume, market.vwap(close, volume) as vwap
from market.daily_bar
group by 1, 2;

create rule no_delete as on delete to ref.currency do instead nothing;

-- Keys and indexes, after the load ----------------------------------------------------------------

alter table market.daily_bar add primary key (instrument_id, day);
alter table market.daily_bar add foreign key (instrument_id) references ref.instrument;
alter table market.trade add foreign key (instrument_id) references ref.instrument;
alter table market.trade add foreign key (venue_id) references ref.venue;
create index on market.trade (instrument_id, traded_at);
create index trade_time on market.trade using brin (traded_at);
create index on market.daily_bar (day) include (close);
create index article_search on news.article using gin (search);
create index article_payload on news.article using gin (payload jsonb_path_ops);
create index article_urgent on news.article (published desc) where (payload ->> 'urgent')::boolean;
create index instrument_name on ref.instrument using gin (name gin_trgm_ops);
create unique index "client by e-mail" on "Back Office"."Client Accounts" (lower("e-mail"));
create unique index on market.monthly_summary (instrument_id, month);
create statistics market.bar_statistics (dependencies) on instrument_id, volume from market.daily_bar;

-- Owners, grants, row security --------------------------------------------------------------------

alter table market.trade owner to "feed handler";
grant usage on schema ref, market, news to market_analyst, "feed handler";
grant select on all tables in schema ref, market, news to market_analyst;
grant select ("Account No", opened) on "Back Office"."Client Accounts" to market_analyst;
alter default privileges in schema market grant select on tables to market_analyst;
alter table news.article enable row level security;
create policy published_only on news.article for select to market_analyst using (published < now());
comment on table market.trade is 'Every trade, by month of its time (UTC)';
comment on column ref.instrument.tags is 'Free words; may hold "quotes", commas, and blanks';

analyze;
