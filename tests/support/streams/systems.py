"""Random small streams: servers, ways through them and frames, drawn so that times coincide often or never."""

from __future__ import annotations

import numpy as np

from support.streams.plain import NEVER, StepOf, System
from tiercut.analysis.stream.arguments import EXIT, NEWEST

__all__ = ["chain_system", "stream_system"]


def stream_system(
    seed: int, *, ties: bool, batches: bool = True, packets: bool = True, bounds: bool = True, stops: bool = True
) -> System:
    """Return a random system of up to 5 servers, 4 ways and 3 sources; nodes come first, then links.

    Parameters
    ----------
    seed
        Of everything.
    ties
        Whether times are small whole numbers, of which many are equal, or large ones, of which none are.
    batches, packets, bounds, stops
        What may occur in it: batches, payloads in packets, bounded queues, a stop before the end.
    """
    rng = np.random.default_rng(seed)
    nodes, links = int(rng.integers(1, 4)), int(rng.integers(1, 4))

    def span(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1)) if ties else int(rng.integers(low * 10**9 + 1, (high + 1) * 10**9))

    bounded = bounds and rng.random() < 0.7
    servers = []
    for index in range(nodes + links):
        workers = int(rng.integers(1, 4)) if index < nodes else 1
        room = int(rng.integers(0, 4)) if bounded and rng.random() < 0.8 else -1
        batch = int(rng.integers(1, 4)) if batches and index < nodes and rng.random() < 0.4 else 1
        servers.append((workers, room, batch, span(0, 6) if batch > 1 and rng.random() < 0.7 else 0))
    rule = int(rng.integers(0, 3))
    ways: list[list[StepOf]] = []
    for _ in range(int(rng.integers(1, 4))):
        way: list[StepOf] = []
        for _ in range(int(rng.integers(1, 4))):
            way.append(StepOf(int(rng.integers(nodes)), span(0, 6), kind=int(rng.integers(2))))
            way += _transfer(rng, nodes, links, span, packets=packets)
        if rng.random() < 0.5:
            way = way[:1]
        result = [each._replace(refusable=False) for each in _transfer(rng, nodes, links, span, packets=packets)]
        ways.append([*way, *result])
    if rule == EXIT:
        homes = [
            [each._replace(refusable=False) for each in _transfer(rng, nodes, links, span, packets=packets)]
            for _ in range(2)
        ]
        first = len(ways)
        ways = [
            [
                step._replace(home=first + int(rng.integers(2))) if step.refusable and rng.random() < 0.7 else step
                for step in way
            ]
            for way in ways
        ]
        homes[0] = homes[0] if rng.random() < 0.5 else []
        main, ways = len(ways), [*ways, *homes]
    else:
        main = len(ways)
    sources = []
    for _ in range(int(rng.integers(1, 4))):
        births = np.cumsum([span(0, 5) for _ in range(int(rng.integers(1, 20)))])
        sources.append([(int(birth), int(rng.integers(main))) for birth in births])
    until = span(0, 60) if stops and rng.random() < 0.3 else NEVER
    return System(servers, ways, sources, rule, until)


def _transfer(rng: np.random.Generator, nodes: int, links: int, span: object, *, packets: bool) -> list[StepOf]:
    assert callable(span)
    count = int(rng.integers(1, 4)) if packets and rng.random() < 0.5 else 1
    hops = int(rng.integers(0, 3))
    steps = []
    for hop in range(hops):
        server, ends = nodes + int(rng.integers(links)), count == 1 or hop == hops - 1
        last = span(0, 3) if count > 1 else None
        steps.append(StepOf(server, span(0, 4), last, count, span(0, 3), ends))
    return steps


def chain_system(seed: int, *, ties: bool) -> System:
    """Return a random system in which frames take servers in one order, some left out, and never come back.

    Without packets and batches; queues may be bounded, then the newest is dropped or sent home.
    """
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    names = rng.permutation(count).tolist()

    def span(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1)) if ties else int(rng.integers(low * 10**9 + 1, (high + 1) * 10**9))

    plain = rng.random() < 0.3
    servers = []
    for _ in range(count):
        room = int(rng.integers(0, 4)) if not plain and rng.random() < 0.6 else -1
        servers.append((1 if plain else int(rng.integers(1, 4)), room, 1, 0))
    rule = NEWEST if rng.random() < 0.4 else EXIT
    draws = not plain and rng.random() < 0.3

    def way(after: int, *, refusable: bool = True) -> list[StepOf]:
        taken = [place for place in range(after, count) if rng.random() < 0.7]
        return [
            StepOf(
                names[place],
                span(0, 6),
                after=span(0, 3) if rng.random() < 0.6 else 0,
                refusable=refusable and bool(rng.random() < 0.8),
                draw=place if draws and rng.random() < 0.5 else -1,
            )
            for place in taken
        ]

    main = 1 if plain else int(rng.integers(1, 4))
    ways = [way(0) for _ in range(main)]
    if rule == EXIT:
        place = {name: k for k, name in enumerate(names)}
        for steps in ways[:main]:
            for k, step in enumerate(steps):
                if step.refusable and rng.random() < 0.7:
                    steps[k] = step._replace(home=len(ways))
                    ways.append(way(place[step.server] + 1, refusable=False))
    sources = []
    for _ in range(1 if plain else int(rng.integers(1, 4))):
        births = np.cumsum([span(0, 5) for _ in range(int(rng.integers(1, 25)))])
        sources.append([(int(birth), int(rng.integers(main))) for birth in births])
    total = sum(map(len, sources))
    drawn = [[span(0, 6) for _ in range(count)] for _ in range(total)] if draws else []
    return System(servers, ways, sources, rule, drawn=drawn)
