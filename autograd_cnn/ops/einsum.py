"""Einstein's summation."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

from ..errors import ShapeError, require_arrays, shape_text
from ..primitive import declare
from .matrix import diagonal
from .reduce import broadcast_to, reshape


def _einsum_rule(g: Any, x: tuple, x_shapes: tuple, position: int, subscripts: str) -> Any:
    """The einsum with this operand and the output exchanged.

    An index that stands in this operand alone was summed: its gradient is the same at each entry.
    """
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    mine = terms[position]
    others = [(t, v) for i, (t, v) in enumerate(zip(terms, x, strict=True)) if i != position]
    known = set(output).union(*(set(term) for term, _ in others))
    present = "".join(c for c in mine if c in known)
    equation = ",".join([output, *(term for term, _ in others)]) + "->" + present
    reduced = _einsum(g, *(value for _, value in others), subscripts=equation)
    shape = x_shapes[position]
    return broadcast_to(
        reshape(reduced, tuple(n if c in known else 1 for c, n in zip(mine, shape, strict=True))),
        shape,
    )


_einsum = declare("einsum", kind="multilinear", x=_einsum_rule, family="parameterised")


def einsum(subscripts: str, *operands: Any) -> Any:
    """Einstein's summation, as in NumPy: an index that the output does not name is summed over.

    An index that stands twice in one operand takes its diagonal; an ellipsis stands for the axes
    that are not named, which broadcast.

    >>> import autograd_cnn as ag
    >>> float(ag.einsum("i,i->", ag.tensor([1.0, 2.0]), ag.tensor([3.0, 4.0])))
    11.0
    >>> ag.einsum("...ii->...i", ag.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [1.0, 4.0]

    Raises ShapeError for subscripts that do not fit.
    """
    require_arrays("einsum", *operands)
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise ShapeError(f"einsum: {inputs} has {len(terms)} terms for {len(operands)} operands")
    if not arrow:
        letters = inputs.replace(",", "").replace(".", "")
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        output = "..." + once if "..." in inputs else once
    terms, operands, output = _written_out(terms, operands, output)
    lengths: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        if len(term) != len(operand.shape) or "." in term:
            raise ShapeError(
                f"einsum: term {term} needs one index for each of the {len(operand.shape)} axes "
                f"of {shape_text(operand.shape)}"
            )
        for index, n in zip(term, operand.shape, strict=True):
            if lengths.setdefault(index, n) != n:
                raise ShapeError(f"einsum: index {index} is {lengths[index]} and {n} long")
    if not set(output) <= set(lengths) or len(set(output)) != len(output):
        raise ShapeError(f"einsum: output {output} of {inputs}")
    pairs = [_without_repeats(*pair) for pair in zip(terms, operands, strict=True)]
    equation = ",".join(term for term, _ in pairs) + "->" + output
    return _einsum(*(operand for _, operand in pairs), subscripts=equation)


def _written_out(terms: list[str], operands: tuple, output: str) -> tuple[list, list, str]:
    """The terms with letters of their own in place of an ellipsis; its axes end together.

    An axis of length 1 that another operand repeats is left away: there it stands for nothing.
    """
    if not any("..." in term for term in (*terms, output)):
        return terms, list(operands), output
    letters = [c for c in ascii_letters if c not in "".join((*terms, output))]
    counts = [
        len(operand.shape) - len(term) + 3 if "..." in term else 0
        for term, operand in zip(terms, operands, strict=True)
    ]
    if min(counts) < 0 or max(counts) > len(letters):
        raise ShapeError(f"einsum: no axes are left for the ellipsis of {','.join(terms)}")
    names = "".join(letters[: max(counts)])
    if names and "..." not in output:
        raise ShapeError(f"einsum: output {output} lacks the ellipsis of {','.join(terms)}")
    places = [term.find("...") for term in terms]
    longest: dict[str, int] = {}
    for place, count, operand in zip(places, counts, operands, strict=True):
        for name, n in zip(names[len(names) - count :], operand.shape[place:], strict=False):
            longest[name] = longest.get(name, 1) if n == 1 else n
    written, reshaped = [], []
    for term, place, count, operand in zip(terms, places, counts, operands, strict=True):
        shape = operand.shape
        ellipsis = zip(names[len(names) - count :], shape[place:], strict=False) if count else ()
        kept = [(c, n) for c, n in ellipsis if n != 1 or longest[c] == 1]
        written.append(term.replace("...", "".join(c for c, _ in kept)))
        middle = tuple(n for _, n in kept)
        whole = (*shape[:place], *middle, *shape[place + count :]) if count else shape
        reshaped.append(reshape(operand, whole))
    return written, reshaped, output.replace("...", names)


def _without_repeats(term: str, operand: Any) -> tuple[str, Any]:
    """A term and its operand, with the diagonal of the axes that share an index; it comes last."""
    for index in dict.fromkeys(term):
        while term.count(index) > 1:
            first = term.index(index)
            second = term.index(index, first + 1)
            operand = diagonal(operand, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + index
    return term, operand
