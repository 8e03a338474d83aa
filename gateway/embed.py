"""embed.py FILE OUT.c NAME HEADER: a file as a C array, so that the program needs none beside it."""

import sys

source, target, name, header = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read()
rows = [", ".join(str(byte) for byte in data[i:i + 24]) for i in range(0, len(data), 24)]
with open(target, "w") as out:
    out.write(f'#include "{header}"\n\nconst char {name}[] = {{\n' + ",\n".join(rows) + ",\n};\n"
              f"const size_t {name}_size = sizeof {name};\n")
