%% What Tsung puts in place of %%aforo_ts:now%%: the generator's clock, as an event carries it.
%% Compiled, because Tsung's evaluated funs cost several times as much, at 5,000 requests a second.
-module(aforo_ts).
-export([now/1]).

%% "2016-05-28 11:11:11.123456", UTC.
now(_PidAndDynVars) ->
    {_, _, Us} = Now = os:timestamp(),
    {{Year, Month, Day}, {Hour, Minute, Second}} = calendar:now_to_universal_time(Now),
    [fixed(Year, 4), $-, fixed(Month, 2), $-, fixed(Day, 2), $\s,
     fixed(Hour, 2), $:, fixed(Minute, 2), $:, fixed(Second, 2), $., fixed(Us, 6)].

fixed(Number, Digits) ->
    string:pad(integer_to_list(Number), Digits, leading, $0).
