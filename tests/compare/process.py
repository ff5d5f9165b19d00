# process.py - one run of a command: its wall and CPU time, or the peak memory of all its processes.

import ctypes
import os
import signal
import time

# Constants of ptrace(2) and waitpid(2).
TRACEME, CONTINUE, SET_OPTIONS, WALL = 0, 7, 0x4200, 0x40000000
FOLLOW, TRACE_EXIT, EVENT_EXIT = 0x2 | 0x4 | 0x8, 0x40, 6  # FOLLOW: fork, vfork, clone

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def actions(error):
    """Its standard streams: empty input, and a file for the error output."""
    null = os.open(os.devnull, os.O_RDWR)
    said = os.open(error, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    return [(os.POSIX_SPAWN_DUP2, number, to) for to, number in enumerate((null, null, said))], (
        null,
        said,
    )


def timed(arguments, environment, error):
    """Milliseconds of wall time and of CPU time (including its children), and the exit code."""
    streams, descriptors = actions(error)
    start = time.perf_counter()
    pid = os.posix_spawn(arguments[0], arguments, environment, file_actions=streams)
    status, usage = os.wait4(pid, 0)[1:]
    wall = time.perf_counter() - start
    for each in descriptors:
        os.close(each)
    return {
        "wall": wall * 1000,
        "CPU": (usage.ru_utime + usage.ru_stime) * 1000,
    }, os.waitstatus_to_exitcode(status)


def sized(arguments, environment, error):
    """KB of the largest process, KB of all processes that exist at the same time, the number of
    processes, and the exit code. Each process is stopped at its end, when /proc knows its peak:
    ru_maxrss would include this program's memory."""
    streams, _ = actions(error)
    pid = os.fork()
    if pid == 0:
        for _, number, to in streams:
            os.dup2(number, to)
        ptrace(TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execve(arguments[0], arguments, environment)
    for number in {number for _, number, _ in streams}:
        os.close(number)
    os.waitpid(pid, WALL)
    ptrace(SET_OPTIONS, pid, None, FOLLOW | TRACE_EXIT)
    ptrace(CONTINUE, pid, None, None)
    processes, code = {}, None
    threads = {pid}
    while threads:
        thread, status = os.waitpid(-1, WALL)
        if not os.WIFSTOPPED(status):
            threads.discard(thread)
            code = os.waitstatus_to_exitcode(status) if thread == pid else code
            continue
        new, event, number = thread not in threads, status >> 16, os.WSTOPSIG(status)
        threads.add(thread)
        note(processes, thread, event == EVENT_EXIT)
        # A new process begins with a SIGSTOP from ptrace.
        ptrace(CONTINUE, thread, None, None if event or new or number == signal.SIGTRAP else number)
    return {**peaks(processes.values()), "processes": len(processes)}, code


def note(processes, thread, ends):
    """Records when a process is first seen, and its peak in KB at its end."""
    with open(f"/proc/{thread}/status", encoding="utf-8", errors="replace") as file:
        fields = dict(line.rstrip().split(":", 1) for line in file if ":" in line)
    group, now = int(fields["Tgid"]), time.monotonic()
    process = processes.setdefault(group, {"from": now, "to": now, "peak": 0})
    process["to"] = max(now, process["to"])
    if ends and "VmHWM" in fields:
        process["peak"] = max(process["peak"], int(fields["VmHWM"].split()[0]))


def peaks(processes):
    """The largest peak, and the largest sum of the peaks of processes that existed at the same
    time."""
    together = [
        sum(each["peak"] for each in processes if each["from"] <= one["from"] <= each["to"])
        for one in processes
    ]
    return {"largest": max(each["peak"] for each in processes), "together": max(together)}
