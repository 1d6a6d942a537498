"""Measures several ways to do the same work, in turns within one process."""

import random
import time

from run import quantile


def measured(ways, rounds, warm_up=5, pause=0):
    """The nanoseconds that each way took, one number for each round."""
    times = {name: [] for name in ways}
    for turn in range(rounds + warm_up):
        for name in random.sample(list(ways), len(ways)):
            time.sleep(pause)
            start = time.perf_counter()
            ways[name]()
            if turn >= warm_up:
                times[name].append((time.perf_counter() - start) * 1e9)
    return times


def table(times, ours, what):
    """Prints each way compared with the bare spawn "nothing" and with `ours`; `what` heads that
    column.
    """
    base, own = quantile(times["nothing"], 0.5), quantile(times[ours], 0.5)
    print(f"| what | median, us | p10, us | over nothing, us | {what} |")
    print("|---|--:|--:|--:|--:|")
    for name, taken in times.items():
        median = quantile(taken, 0.5)
        print(f"| {name} | {median:.0f} | {quantile(taken, 0.1):.0f} | {median - base:.0f} | {median / own:.2f} |")
