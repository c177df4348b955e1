"""The commands: their options, their help, and what they print."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from corr2d import __version__, images, kernels
from corr2d.cli.batch import FilterBatch, pair_up
from corr2d.cli.edges import METHODS, read_edges
from corr2d.cli.field import EXAMPLES as FIELD_EXAMPLES
from corr2d.cli.field import field
from corr2d.cli.lines import FAULTS, INTERRUPTED, REFUSED, complain, one_line
from corr2d.cli.listing import exactly, is_small, print_table, settings
from corr2d.cli.options import channels, check_look, read_filter, read_kernel
from corr2d.images.mapping import SCALES

EXIT_CODES = "Exit codes: 0 done, 2 something was wrong (one line on stderr says what), 130 interrupted."

# Lines behind a backspace are not filled into a paragraph.
EXAMPLES = f"""\b
Examples:
  corr2d apply photo.jpg --kernel gaussian:sigma=3 -o blurred.jpg
  corr2d apply photo.jpg --kernel sobel-x --scale signed -o edges.png
  corr2d apply *.tif --kernel "1,0,-1;2,0,-2;1,0,-1" --dtype float32 -o results/

{EXIT_CODES}"""

EDGE_EXAMPLES = f"""\b
Examples:
  corr2d edges photo.jpg -o edges.png
  corr2d edges photo.jpg --overlay -o drawn.png
  corr2d edges *.tif --sigma 2 --low 3 --high 10 -o results/
  corr2d edges photo.jpg --overlay -o outlines.svg
  corr2d edges photo.jpg --method scharr -o gradient.tif

{EXIT_CODES}"""

LEARN_EXAMPLES = f"""\b
Examples:
  corr2d learn before.png after.png --size 5 -o kernel.json
  corr2d learn before.png after.png --size auto --identify -o fit.png
  corr2d learn originals/ filtered/ --size 7 --constraint nonnegative -o kernel.npy
  corr2d apply other.png --kernel kernel.json -o filtered.png

{EXIT_CODES}"""

app = typer.Typer(
    name="corr2d",
    help="Filter pictures with 2-D kernels: blur, sharpen, find edges, or apply any kernel of your own.",
    epilog=EXIT_CODES,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Every error class of the parser descends from this one; its name is public, its home moved between versions.
ParserError: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

Kernel = Annotated[
    str,
    typer.Option(
        "--kernel",
        "-k",
        metavar="NAME|FILE|NUMBERS",
        help="A name ('sobel-x', 'gaussian:sigma=2'; see: corr2d kernels), a file (.npy .csv .txt .json), "
        "or the numbers: '1,0,-1;2,0,-2;1,0,-1', rows parted by semicolons.",
    ),
]
Convolve = Annotated[
    bool, typer.Option("--convolve", help="Flip the kernel first: convolution instead of cross-correlation.")
]
Padding = Annotated[
    str,
    typer.Option(
        metavar="same|valid|full|PIXELS",
        help="'same' keeps the picture's size, 'valid' keeps only windows inside it, 'full' all that touch "
        "it; or pixels: N, or Y,X, or TOP,BOTTOM,LEFT,RIGHT.",
    ),
]
Border = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What lies past the edge: 'reflect' mirrors the picture about its outermost pixels and leaves "
        "no dark rim; or edge, symmetric, wrap, constant; Y,X for one per axis.",
    ),
]
Fill = Annotated[str, typer.Option(metavar="NUMBER", help="The value past the edge for --border constant.")]
Stride = Annotated[str, typer.Option(metavar="N|Y,X", help="Keep every N-th pixel of the result.")]
Dilation = Annotated[
    str, typer.Option(metavar="N|Y,X", help="Distance between the pixels that a kernel weighs.")
]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(SCALES),
        help="How values become brightness: 'clip', the default, cuts off below black and above white; "
        "'signed' makes 0 mid-grey; 'abs' shows magnitude, 0 black; 'stretch' uses the whole range.",
    ),
]
FileType = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="TYPE",
        help="The file's numbers: uint8, uint16, float32 or float64; by default those of the picture.",
    ),
]
Images = Annotated[list[str], typer.Argument(metavar="IMAGE", help="PNG, JPEG, TIFF, WebP or BMP files.")]
Output = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FILE|DIR", help="The new file, or a folder in which names are kept."
    ),
]

Page = Annotated[
    int | None,
    typer.Option(metavar="N", help="Which picture of a file with several; 0 is the first."),
]
MaxPixels = Annotated[
    int,
    typer.Option(metavar="N", help="Refuse pictures of more pixels than this by their headers."),
]


@app.callback(invoke_without_command=True)
def corr2d(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Print the version, or the help where no command is given."""
    if version:
        print(f"corr2d {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(epilog=EXAMPLES)
def apply(
    pictures: Images,
    kernel: Kernel,
    output: Output,
    convolve: Convolve = False,
    padding: Padding = "same",
    border: Border = "reflect",
    fill: Fill = "0",
    stride: Stride = "1",
    dilation: Dilation = "1",
    scale: Scale = None,
    dtype: FileType = None,
    page: Page = None,
    max_pixels: MaxPixels = images.MAX_PIXELS,
) -> int:
    """Filter pictures with a kernel and write the results.

    By default a result has the size and the depth of its picture. Colours are filtered one by one;
    transparency is kept, not filtered, and follows where the size changes.

    The names of the files written are printed, one a line. Inputs are never overwritten. A file that cannot
    be read does not stop the others: it is named on stderr, and the exit code is 2 in the end. Whatever
    happens, even Ctrl-C, no file is left half written.
    """
    check_look(scale or "clip", dtype)
    chosen = read_filter(kernel, convolve, padding, border, fill, stride, dilation)
    reading = {"page": page, "max_pixels": max_pixels}
    return FilterBatch(chosen, scale, dtype, reading=reading).run(pair_up(pictures, output))


@app.command(epilog=EDGE_EXAMPLES)
def edges(
    pictures: Images,
    output: Output,
    method: Annotated[
        str,
        typer.Option(
            metavar="canny|sobel|scharr|...",
            help="'canny' finds thin edges; the name of a gradient operator, one of "
            + ", ".join(METHODS[1:])
            + ", gives how much brightness changes at each pixel.",
        ),
    ] = "canny",
    sigma: Annotated[
        float | None,
        typer.Option(
            metavar="PIXELS",
            help="Smooth by a Gaussian of this width first; 1 for canny and gaussian, else 0 if left out.",
        ),
    ] = None,
    low: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Canny's lower threshold, in grey levels of the file per pixel; found from the picture's "
            "noise if left out.",
        ),
    ] = None,
    high: Annotated[float | None, typer.Option(metavar="NUMBER", help="Canny's upper threshold.")] = None,
    border: Border = "symmetric",
    overlay: Annotated[bool, typer.Option("--overlay", help="Draw the edges over the picture.")] = False,
    svg: Annotated[
        bool,
        typer.Option(
            "--svg",
            help="Write outlines finer than a pixel as an SVG drawing; so does an OUT.svg without it.",
        ),
    ] = False,
    page: Page = None,
    max_pixels: MaxPixels = images.MAX_PIXELS,
) -> int:
    """Find edges in pictures and write them as pictures, or as drawings.

    canny writes white edges on black, 8 bits. A gradient is written as it is into TIFF, and from black to
    white, the steepest place, into other formats. Colours are turned to grey first; for canny, pixels that
    are fully transparent do not count.

    Names of the files written, inputs and failures: as for corr2d apply.
    """
    drawing = svg or output.lower().endswith(".svg")
    reading = {"page": page, "max_pixels": max_pixels}
    batch = read_edges(method, sigma, low, high, border, overlay, drawing, reading)
    return batch.run(pair_up(pictures, output, ".svg" if drawing else ""))


@app.command(epilog=LEARN_EXAMPLES, short_help="Find the kernel that made one picture of another.")
def learn(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A picture, or a folder of them.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="What became of it, or of them.")],
    size: Annotated[
        str,
        typer.Option(
            metavar="N|Y,X|auto",
            help="The kernel's size; 'auto' chooses the smallest that explains the pictures.",
        ),
    ],
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A new file: .json, .npy, .csv or .txt, which --kernel of corr2d apply reads, or .png, a "
            "picture of the fit. May be given several times.",
        ),
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="N|Y,X", help="The largest size that 'auto' tries.")
    ] = None,
    bias: Annotated[bool, typer.Option("--bias", help="Learn a constant that was added, too.")] = False,
    border: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Learn from the rim as well, made with this border: constant, reflect, edge, symmetric or "
            "wrap; if left out, only from windows inside the picture.",
        ),
    ] = None,
    constraint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME]",
            help="What is known of the kernel: nonnegative, sum-to-one, simplex, symmetric, antisymmetric, "
            "radial, separable, rank=N.",
        ),
    ] = None,
    identify: Annotated[
        bool,
        typer.Option(
            "--identify", help="Name the kernel, and prove it on the pictures: fractions, rounding, border."
        ),
    ] = False,
    page: Page = None,
    max_pixels: MaxPixels = images.MAX_PIXELS,
) -> int:
    """Find the kernel that made one picture of another, and say how sure that is.

    Colours are taken one by one, all for one kernel; what is transparent does not count. Of two folders,
    pictures of the same name belong together, whatever their endings. What is found is printed: the kernel
    with its errors, how much it explains, and what the pictures cannot tell; then the names of the files
    written, one a line.

    A pair that cannot be read does not stop the others: it is named on stderr, and the exit code is 2 in the
    end. No file is left half written.
    """
    from corr2d.cli.learn import check_outputs, partners, read_learner, run_learning

    pairs = partners(before, after)
    outputs = output or []
    check_outputs(outputs, [path for pair in pairs for path in pair])
    reading = {"page": page, "max_pixels": max_pixels}
    learner = read_learner(size, max_size, bias, border, constraint, reading)
    try:
        return run_learning(learner, pairs, outputs, identify)
    except KeyboardInterrupt:
        complain("interrupted: nothing is learnt, and no file is half written")
        return INTERRUPTED


app.command(
    epilog=f"{FIELD_EXAMPLES}\n{EXIT_CODES}", short_help="Say which pixels the layers of a network see."
)(field)


@app.command(name="kernels", epilog=EXIT_CODES)
def list_kernels(
    name: Annotated[
        str | None, typer.Argument(metavar="KERNEL", help="Print this one: a name, a file or numbers.")
    ] = None,
) -> None:
    """List the kernels that have a name, with their numbers.

    Piped, there is one kernel a line: name, size, numbers, what it does and its parameters, parted by tabs;
    the numbers of kernels larger than 5 x 5 are left out.

    With a KERNEL its numbers are printed as a file that --kernel reads: corr2d kernels gaussian:sigma=2 >
    blur.csv
    """
    if name is not None:
        print("\n".join(",".join(map(exactly, row)) for row in read_kernel(name)))
    elif sys.stdout.isatty():
        print_table()
    else:
        for entry in kernels.catalogue():
            weights = kernels.named(entry.name)
            numbers = ";".join(",".join(map(exactly, row)) for row in weights) if is_small(weights) else ""
            size = f"{weights.shape[0]}x{weights.shape[1]}"
            print(entry.name, size, numbers, entry.summary, settings(entry.parameters), sep="\t")


@app.command(epilog=EXIT_CODES, short_help="Say which engine would filter a picture, and why.")
def explain(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A PNG, JPEG, TIFF, WebP or BMP file.")],
    kernel: Kernel,
    convolve: Convolve = False,
    padding: Padding = "same",
    border: Border = "reflect",
    fill: Fill = "0",
    stride: Stride = "1",
    dilation: Dilation = "1",
    page: Page = None,
    max_pixels: MaxPixels = images.MAX_PIXELS,
) -> None:
    """Say how a picture would be filtered: which engine, why, and what it will cost."""
    chosen = read_filter(kernel, convolve, padding, border, fill, stride, dilation)
    pixels = images.read(image, page=page, max_pixels=max_pixels).pixels
    print(chosen.plan(pixels, **channels(pixels)))


@app.command(epilog=EXIT_CODES, short_help="Write a page that walks through convolution.")
def tour(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="The folder, made if it is not there.")
    ] = "corr2d-tour",
    image: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A photograph of yours; by default the one that comes with matplotlib."
        ),
    ] = None,
) -> int | None:
    """Walk through convolution on a photograph: a page to read, and its pictures.

    Writes DIR/index.html, which needs no network and nothing beside it, and each picture as a PNG. Takes some
    seconds. Files of other names in the folder are left alone.
    """
    from corr2d.tour import write_tour

    try:
        print(write_tour(output, image))
    except KeyboardInterrupt:
        complain("interrupted: the tour is not finished, and no file of it is half written")
        return INTERRUPTED
    return None


def run(arguments: list[str]) -> int | None:
    """Run the command line; what is wrong becomes one line and exit code 2."""
    # Boxes and colours are for people at a terminal; a pipe gets text that grep can read.
    app.rich_markup_mode = "rich" if sys.stdout.isatty() else None
    commands = typer.main.get_command(app)
    try:
        code: int | None = commands.main(arguments, prog_name="corr2d", standalone_mode=False)
        return code
    except typer.Abort:  # what versions before 0.16 make of Ctrl-C
        return INTERRUPTED
    except ParserError as fault:
        context = getattr(fault, "ctx", None)
        help_of = f" See: {context.command_path} --help" if context else ""
        message = fault.format_message()
        complain(f"{message}{help_of}" if message.endswith((".", "?")) else f"{message}.{help_of}")
    except FAULTS as fault:
        complain(_as_typed(one_line(fault), getattr(commands, "commands", {}).get(next(iter(arguments), ""))))
    return REFUSED


def _as_typed(message: str, command: Any) -> str:
    """Name what was wrong as it is typed: where the library says `max_pixels`, the option --max-pixels."""
    word, rest = message.partition(" ")[::2]
    option = f"--{word.replace('_', '-')}"
    known = {name for parameter in getattr(command, "params", ()) for name in parameter.opts}
    return f"{option} {rest}" if option in known else message
