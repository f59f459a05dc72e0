-- A batch of `aforo log cat --number` (psql's standard input) -> the table events. A record's key is its node, shard and sequence, so
-- that one which is there already is passed over. docs/eventlog.md says how it is run. No line of a record has the bytes 1 and 2.
\encoding UTF8
set client_min_messages = warning;
create table if not exists events (
    node text, shard int, sequence bigint, time timestamptz, record json, primary key (node, shard, sequence));
begin;
create temporary table batch (line text) on commit drop;
\copy batch from pstdin with (format csv, delimiter e'\x02', quote e'\x01')
insert into events
    select key[1], key[2]::int, key[3]::bigint, substring(line from '"(?:time|arrival)":"([^"]+)"')::timestamptz, line::json
    from (select line, regexp_match(line, '^\{"node":"([^"]*)","shard":(\d+),"sequence":(\d+),') as key from batch) as keyed
    on conflict do nothing;
commit;
