"""Processes that misbehave in every way that a worker must survive; put the folder above on PYTHONPATH to install."""

from pydantic import Field

from candela_processes.process import COG, Inputs, Output, Process, Reference, Resources

MODULE = "faulty_processes.runs"


class NumberInputs(Inputs):
    """One number and some files."""

    number: float = Field(default=1.0, title="Number", le=1e12)
    files: tuple[Reference, ...] = Field(default=(), title="Files")
    text: str = Field(default="", title="Text")


def _process(name: str, *outputs: Output) -> Process:
    return Process(
        id=f"faulty-{name}",
        version="1.0.0",
        title=name,
        description="Misbehaves.",
        inputs=NumberInputs,
        outputs=outputs or (Output(id="value", title="Value", schema={"type": "object"}),),
        run=f"{MODULE}:{name}",
        example={"number": 1.0},
        resources=Resources(cpu=2.0),
    )


_IMAGE = Output(id="image", title="Image", media_types=(COG,))
_IMAGES = Output(id="images", title="Images", media_types=(COG,), many=True)

fine = _process("fine", Output(id="value", title="Value", schema={}), _IMAGE, _IMAGES)
sleep = _process("sleep")
allocate = _process("allocate")
share = _process("share")
fill = _process("fill")
fill_outputs = _process("fill_outputs")
orphans = _process("orphans")
stubborn = _process("stubborn")
chatter = _process("chatter")
fail = _process("fail")
leave = _process("leave")
crash = _process("crash")
kill = _process("kill")
link = _process("link", _IMAGE)
outside = _process("outside", _IMAGE)
missing = _process("missing")
surroundings = _process("surroundings")
paths = _process("paths")
refuse = _process("refuse")
endless = _process("endless")
forge = _process("forge")
