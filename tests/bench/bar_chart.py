"""Draws times as horizontal bars, an SVG that can be read on light and dark pages."""

LINE, LEFT, WIDTH = 24, 140, 380


def bar_chart(title, times):
    """Returns the picture. Contenders whose name begins with "nsiso" have another colour."""
    longest = max(times.values())
    height = LINE * (len(times) + 1) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 70} {height}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" rx="6" fill="white"/>',
        f'<text x="10" y="20" font-weight="bold">{title}</text>',
    ]
    for place, (name, time) in enumerate(times.items(), 1):
        top, length = 8 + LINE * place, max(2, WIDTH * time / longest)
        colour = "#00897b" if name.startswith("nsiso from") else "#90a4ae"
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{name}</text>',
            f'<rect x="{LEFT}" y="{top + 2}" width="{length:.0f}" height="{LINE - 8}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.0f}" y="{top + 14}">{time:.1f}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])
