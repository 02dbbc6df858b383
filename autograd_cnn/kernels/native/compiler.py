"""From LLVM assembly to an address that can be called, through the cache of compiled objects."""

from __future__ import annotations

import ctypes
import hashlib
import os
import threading
from collections.abc import Callable
from functools import cache

import llvmlite
import llvmlite.binding as llvm

from . import objects
from .assembly import Function
from .machine import Machine

_lock = threading.Lock()
_engines: list[llvm.ExecutionEngine] = []  # they own the code
_addresses: dict[tuple, int] = {}


def address(machine: Machine, build: Callable[..., Function], *parameters: object) -> int:
    """Where `build(machine, name, *parameters)` lies as machine code; compiled once."""
    key = (machine.name, f"{build.__module__.rpartition('.')[2]}_{build.__name__}", *parameters)
    found = _addresses.get(key)
    if found is None:
        with _lock:
            found = _addresses.get(key) or _compile(machine, build, key)
            _addresses[key] = found
    return found


def _compile(machine: Machine, build: Callable[..., Function], key: tuple) -> int:
    name = "_".join(map(str, key))
    text = str(build(machine, name, *key[2:]))
    code = objects.recall(_fingerprint(machine, text))
    if code is None:
        code = _emit(machine, text)
        objects.remember(_fingerprint(machine, text), code)
    engine = _new_engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return engine.get_function_address(name)


def _emit(machine: Machine, text: str) -> bytes:
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_process_triple()
    target = _target_machine(machine)
    module.data_layout = str(target.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = False  # the tiles are unrolled as they should be
    options.slp_vectorization = False
    passes = llvm.create_pass_builder(target, options)
    passes.getModulePassManager().run(module, passes)
    return target.emit_object(module)


def _fingerprint(machine: Machine, text: str) -> str:
    """What compiled code depends on: the source, the compiler and the processor."""
    parts = (llvmlite.__version__, llvm.get_process_triple(), *_processor(machine), text)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _processor(machine: Machine) -> tuple[str, str]:
    features = llvm.get_host_cpu_features().flatten()
    return llvm.get_host_cpu_name(), features + machine.features


@cache
def _target_machine(machine: Machine) -> llvm.TargetMachine:
    _start()
    cpu, features = _processor(machine)
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="jitdefault", jit=True
    )


def _new_engine() -> llvm.ExecutionEngine:
    """One an object: code added to an engine that has run is not made executable."""
    _start()
    target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)


@cache
def _start() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def _unlock() -> None:
    """In a forked child: the thread that held the lock is not there to open it."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)

SHARE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
"""The type of what a thread runs: a table of arguments and the number of its worker."""
