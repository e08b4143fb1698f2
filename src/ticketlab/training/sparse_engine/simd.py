"""Rows of numbers as single values of numba's compiler, so that a kernel says which numbers stay in registers.

A row is one float32 for each sample of a batch. Loops over plain arrays would be compiled to the same instructions
only where the compiler can prove that no two rows overlap, which it cannot for rows that are looked up by their number.
The length of a row must be known when a kernel is compiled: `width`, a tuple with an entry for each vector of `VECTOR`
numbers, tells it by its type. This module does not know networks.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

VECTOR = 8  # float32 of one AVX register; other processors split or join them
ALIGNMENT = 64  # bytes: rows begin where a line of the cache does
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)


class Row(types.Type):
    """The compiler's type of a row of float32."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Row({lanes})")


@register_model(Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, row: Row) -> None:
        super().__init__(manager, row, _vector(row.lanes))


def _instruction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let kernels call what a function generates, without its first argument."""
    return intrinsic(function)


@_instruction
def load(typing: Any, rows: Any, number: Any, width: Any) -> Any:
    """Read a row of a C-contiguous array (rows, lanes) of float32 that begins at a multiple of `ALIGNMENT`."""
    row = Row(VECTOR * width.count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature, arguments, row), align=VECTOR * 4)

    return row(rows, number, width), generate


@_instruction
def store(typing: Any, rows: Any, number: Any, row: Any) -> Any:
    """Write a row."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, signature, arguments, row), align=VECTOR * 4)
        return context.get_dummy_value()

    return types.void(rows, number, row), generate


@_instruction
def filled(typing: Any, value: Any, width: Any) -> Any:
    """Return a row of one number."""
    row = Row(VECTOR * width.count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0], row.lanes)

    return row(types.float32, width), generate


@_instruction
def multiply_add(typing: Any, total: Any, factor: Any, row: Any) -> Any:
    """Return ``total + factor · row``, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _fused(builder, _spread(builder, arguments[1], row.lanes), arguments[2], arguments[0])

    return row(total, types.float32, row), generate


@_instruction
def dot(typing: Any, a: Any, b: Any) -> Any:
    """Return the sum of the products of two rows' numbers, always added in the same order."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total = _products(builder, *arguments)
        for half in (4, 2, 1):
            total = builder.fadd(
                _pick(builder, total, total, range(half)), _pick(builder, total, total, range(half, 2 * half))
            )
        return builder.extract_element(total, _INT(0))

    return types.float32(a, b), generate


@_instruction
def four_dots(typing: Any, row: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the products of a row with four others, which takes fewer instructions than one after the other."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def neighbours(x: Any, y: Any) -> Any:
            """Add neighbours: of x in the first half of each half, of y in the second."""
            even, odd = (_pick(builder, x, y, [i, i + 2, i + 8, i + 10, i + 4, i + 6, i + 12, i + 14]) for i in (0, 1))
            return builder.fadd(even, odd)

        sums = [_products(builder, arguments[0], other) for other in arguments[1:]]
        total = neighbours(neighbours(*sums[:2]), neighbours(*sums[2:]))
        total = builder.fadd(_pick(builder, total, total, range(4)), _pick(builder, total, total, range(4, 8)))
        return context.make_tuple(
            builder, signature.return_type, [builder.extract_element(total, _INT(i)) for i in range(4)]
        )

    return types.UniTuple(types.float32, 4)(row, a, b, c, d), generate


@_instruction
def prefetch(typing: Any, array: Any, number: Any) -> Any:
    """Ask for an array's number, and those beside it, to be brought into the cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        wanted = builder.gep(memory, [context.cast(builder, arguments[1], signature.args[1], types.intp)])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(wanted, byte), _INT(0), _INT(3), _INT(1)])  # read, keep, data
        return context.get_dummy_value()

    return types.void(array, number), generate


@_instruction
def power_of_two(typing: Any, exponent: Any) -> Any:
    """Return 2 to the power of a whole float32 from −126 to 127."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(builder.fptosi(arguments[0], _INT), _INT(127))
        return builder.bitcast(builder.shl(biased, _INT(23)), _FLOAT)

    return types.float32(types.float32), generate


def _vector(lanes: int) -> ir.VectorType:
    return ir.VectorType(_FLOAT, lanes)


def _address(context: Any, builder: Any, signature: Any, arguments: Any, row: Row) -> Any:
    """Return the pointer to a row, given an array and the row's number as the first two arguments."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    number = context.cast(builder, arguments[1], signature.args[1], types.intp)
    first = builder.gep(builder.bitcast(array.data, _FLOAT.as_pointer()), [builder.mul(number, number.type(row.lanes))])
    return builder.bitcast(first, _vector(row.lanes).as_pointer())


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    undefined = _vector(lanes)(ir.Undefined)
    one = builder.insert_element(undefined, value, _INT(0))
    return builder.shuffle_vector(one, undefined, ir.VectorType(_INT, lanes)([0] * lanes))


def _products(builder: Any, a: Any, b: Any) -> Any:
    """Return one vector whose numbers add up to the dot product of two rows."""
    chains: list[Any] = []  # two of them, since each step waits for the one before
    for at in range(0, a.type.count, VECTOR):
        x, y = (_pick(builder, row, row, range(at, at + VECTOR)) for row in (a, b))
        if len(chains) < 2:
            chains.append(builder.fmul(x, y))
        else:
            chains.append(_fused(builder, x, y, chains.pop(0)))
    return builder.fadd(*chains) if len(chains) == 2 else chains[0]


def _pick(builder: Any, x: Any, y: Any, places: Any) -> Any:
    """Return the numbers at these places of two vectors; places of the second follow those of the first."""
    return builder.shuffle_vector(x, y, ir.VectorType(_INT, len(places))(list(places)))


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return ``a · b + c``."""
    name = f"llvm.fma.v{a.type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])
