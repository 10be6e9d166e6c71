"""The rows of ./dev bench about messages and connections, and what a cell shows. docs/bench.md explains the rows."""

import statistics

from bench_contestants import UWS, Failed


def half_spread(values):
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle * 50 if middle else 0


def pick(results, key):
    return {name: [one[key] for one in many] for name, many in results.items()}


def ratio_of(values):
    return f"{statistics.median(values):.2f} ±{half_spread(values):.0f}%"


def number_of(values):
    return f"{statistics.median(values):,.0f}"


def microseconds_of(values):
    return f"{statistics.median(values) / 1e3:,.1f}"


class Echo:
    """Echoes as fast as possible: throughput, and the server's cost per message."""

    def __init__(self, name, flags, goal, cpu_goal="", kind="echo", base="raw epoll", server_flags=(), uws_cpu_goal=""):
        self.name, self.flags, self.goal, self.cpu_goal = name, flags, goal, cpu_goal
        self.kind, self.base, self.server_flags, self.uws_cpu_goal = kind, base, server_flags, uws_cpu_goal

    def measure(self, bench):
        def one_run(contestant):
            with contestant.start(*self.server_flags) as server:
                return bench.timed(server, self.flags)

        results = bench.alternate(self.name, self.kind, one_run)
        speeds, costs = pick(results, "messages_per_second"), pick(results, "cpu_ns")
        if self.base in speeds:
            bench.raw_speeds[self.name] = statistics.median(speeds[self.base])
        bench.add_ratios(self.name, self.goal, speeds, self.base)
        bench.add("- messages a second", "", speeds, number_of)
        bench.add_ratios("- CPU a message", self.cpu_goal, costs, self.base)
        bench.add("- CPU a message, ns", "", costs, number_of)
        if self.uws_cpu_goal:
            bench.add_ratios(f"- CPU a message, to {UWS}", self.uws_cpu_goal, costs, UWS)
        if self.kind == "deflate":
            sizes = {name: [one["bytes"] / one["messages"] for one in many] for name, many in results.items()}
            bench.add("- bytes of an answer", "fewer than uWebSockets", sizes, lambda many: f"{statistics.median(many):,.1f}")


def rival_of(bench):
    """The contestant that the rows of large messages and of connections are relative to."""
    return UWS if any(one.name == UWS for one in bench.contestants) else "raw epoll"


class Large:
    """Echoes of large messages over ten connections: what a message costs the server, and the pages it takes anew from the
    kernel for it. At these sizes the load is often at its limit, so the speed says little."""

    CONNECTIONS = "10"
    SECONDS = "2s"  # at least: the largest are few

    def __init__(self, shown, size, cpu_goal="", tls=False):
        self.name = f"{shown}, {self.CONNECTIONS} connections"
        self.size, self.cpu_goal, self.tls = size, cpu_goal, tls

    def measure(self, bench):
        flags = ["-c", self.CONNECTIONS, "-n", "1", "-s", str(self.size)]

        def one_run(contestant):
            allowed = [] if contestant.raw else ["--message-bytes", str(self.size)]
            start = contestant.start_tls(bench.certificate, *allowed) if self.tls else contestant.start(*allowed)
            with start as server:
                return bench.timed(server, flags, duration=self.SECONDS if bench.quick else None)

        results = bench.alternate(self.name, "large tls" if self.tls else "large", one_run)
        speeds, costs, base = pick(results, "messages_per_second"), pick(results, "cpu_ns"), rival_of(bench)
        bench.add_ratios(f"{self.name} (to {base})", "", speeds, base)
        bench.add("- messages a second", "", speeds, number_of)
        bench.add_ratios("- CPU a message", self.cpu_goal, costs, base)
        bench.add("- CPU a message, us", "", costs, microseconds_of)
        bench.add("- page faults a message", "", pick(results, "faults"), lambda many: f"{statistics.median(many):,.1f}")


class Handshakes:
    """Connections that are opened, upgraded and closed all the time."""

    def __init__(self, at_once, cpu_goal):
        self.name = f"connect, upgrade, close; {at_once} at a time"
        self.flags, self.cpu_goal = ["-c", str(at_once), "--handshakes"], cpu_goal

    def measure(self, bench):
        def one_run(contestant):
            with contestant.start() as server:
                return bench.timed(server, self.flags)

        results = bench.alternate(self.name, "handshakes", one_run)
        speeds, costs, base = pick(results, "messages_per_second"), pick(results, "cpu_ns"), UWS
        bench.add_ratios(f"{self.name} (to {base})", "", speeds, base)
        bench.add("- connections a second", "", speeds, number_of)
        bench.add_ratios("- CPU a connection", self.cpu_goal, costs, base)
        bench.add("- CPU a connection, us", "", costs, microseconds_of)


class Loops:
    """The cost of a message with two loops relative to one loop: loops that wait for each other cost more. A second
    loop adds throughput only with another core; here two loops and the load share two cores."""

    def __init__(self, name, flags):
        self.name, self.flags = name, flags

    def measure(self, bench):
        def cost(contestant, loops):
            with contestant.start_with_loops(loops) as server:
                return server.load([*self.flags, "-d", bench.duration])["cpu_ns"]

        results = bench.alternate(self.name, "loops", lambda one: cost(one, 2) / cost(one, 1))
        bench.add(self.name, "about 1", results, ratio_of)


class Broadcast:
    """One connection sends to all: deliveries per second, with one or several broadcasts in flight."""

    def __init__(self, name, in_flight, goal, count=None, uws_goal=""):
        self.name, self.in_flight, self.goal, self.count, self.uws_goal = name, in_flight, goal, count, uws_goal

    def measure(self, bench):
        count = str(self.count or bench.idle_connections)
        flags = ["-c", count, "-n", self.in_flight, "-s", "500", "--broadcast"]

        def one_run(contestant):
            with contestant.start("--broadcast") as server:
                return bench.timed(server, flags, warm_up=None)

        results = bench.alternate(self.name, "broadcast", one_run)
        speeds = pick(results, "messages_per_second")
        bench.add_ratios(self.name, self.goal, speeds, "raw epoll")
        bench.add("- deliveries a second", "", speeds, number_of)
        costs = pick(results, "cpu_ns")
        bench.add_ratios("- CPU a delivery", "", costs, "raw epoll")
        if self.uws_goal:
            bench.add_ratios(f"- deliveries a second, to {UWS}", self.uws_goal, speeds, UWS)
            bench.add_ratios(f"- CPU a delivery, to {UWS}", "", costs, UWS)


class Pace:
    """Latency at the same rate for all: half of raw epoll's throughput."""

    def __init__(self, name, flags, of_row):
        self.name, self.flags, self.of_row = name, flags, of_row

    def measure(self, bench):
        if self.of_row not in bench.raw_speeds:
            bench.complaints.append(f"{self.name}: needs the row \"{self.of_row}\" before it")
            return
        rate = str(round(bench.raw_speeds[self.of_row] / 2))

        def one_run(contestant):
            with contestant.start() as server:
                result = bench.timed(server, [*self.flags, "--rate", rate])
                if result["unanswered"] > 0:
                    raise Failed(f"{result['unanswered']} messages were not answered")
                return result["latency_ns"]

        results = bench.alternate(self.name, "pace", one_run)
        tails = pick(results, "p99")
        bench.add_ratios(self.name, "1.10", tails, "raw epoll")
        bench.add_ratios(f"- p99.9, to {UWS}", "1.10", pick(results, "p99_9"), UWS)
        bench.add("- p99, us", "", tails, lambda many: f"{statistics.median(many) / 1e3:,.0f}")
        bench.add("- p50, us", "", pick(results, "p50"), lambda many: f"{statistics.median(many) / 1e3:,.0f}")
