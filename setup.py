"""Builds the one native part, optional: where no compiler is at hand the install goes on and the pure Python twin is used. All else is in pyproject.toml."""

import sys
import sysconfig

from setuptools import Extension, setup

# A build for free-threaded CPython can't use the limited API yet.
LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[
        Extension(
            "barnabas.wire.records._native",
            sources=["src/barnabas/wire/records/_native.c"],
            define_macros=[("Py_LIMITED_API", "0x030b0000")] if LIMITED else [],
            py_limited_api=LIMITED,
            extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-Wall", "-Wextra", "-Wno-unused-parameter"],
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
)
