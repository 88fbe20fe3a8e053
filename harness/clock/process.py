"""What a process knows about itself: the BLAS it loaded, the memory it took."""

import os


def blas_in_use() -> str | None:
    """Return the BLAS libraries loaded in this process, with the kernels they chose."""
    from threadpoolctl import threadpool_info

    libraries = sorted(
        {
            f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        }
    )
    return "; ".join(libraries) or None


def peak_rss_mb() -> float | None:
    """Return the largest resident memory of this process so far, in MiB."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if os.uname().sysname == "Darwin" else 2**10)
