"""The benchmark: how fast the hub is, as ratios to a C server and beside its peers, all measured in one run.

    native/       the load generator and the reference server, in C
    build.py      compiles them into build/
    loadgen.py    runs the load generator and reads its result
    cores.py      which core is whose
    servers/      what can be measured: the hub, the C reference, NATS, Node `ws`
    peers/        the peer written in JavaScript
    scenarios/    what is measured, and the targets
    rounds.py     alternates the servers, round by round
    summary.py    medians, ratios, targets
    report.py     the table and the JSON

`README.md` says how to read the numbers.
"""
