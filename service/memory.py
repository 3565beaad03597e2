"""How a process of ours keeps memory: what it has freed it uses again, what its start made it leaves alone.

By default glibc gives large buffers and the free end of its heap back to the kernel at once, and every
batch of events pays for fresh, zeroed pages again. Here a process holds on to about what it needed at
most: size its container by its peak. See mallopt(3).
"""

import ctypes
import gc

BUFFER_BYTES = 32 * 1024 * 1024
"""Buffers up to this size are reused; glibc takes no more."""
KEPT_BYTES = 256 * 1024 * 1024
"""More than this at the heap's free end goes back to the kernel."""
GC_THRESHOLDS = (100_000, 50, 100)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Set it for this process; False where the C library has no such settings (musl, macOS)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    thresholds = ((_M_MMAP_THRESHOLD, BUFFER_BYTES), (_M_TRIM_THRESHOLD, KEPT_BYTES))
    return all(mallopt(name, size) for name, size in thresholds)


def tune(thresholds: tuple[int, int, int] = GC_THRESHOLDS) -> None:
    """Keep freed memory, and have the garbage collector look less often, never again at what is there.

    Hundreds of requests wait at once, so most of what it would look at is alive; young objects get
    time to die first. `thresholds` as gc.set_threshold takes them.
    """
    keep_freed_memory()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds)
