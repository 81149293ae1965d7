from hrctl.cli.render.table import Narrow, table_lines

HEADS = ("NAME", "WHAT", "NOTE")


def test_columns_are_aligned_and_none_is_a_dash() -> None:
    assert list(table_lines(HEADS, [("a", 1, None), ("long-name", "xy", "n")])) == [
        "NAME       WHAT  NOTE",
        "a          1     -",
        "long-name  xy    n",
    ]


def test_a_line_is_cut_where_it_is_widest_but_never_the_name() -> None:
    name = "n" * 40
    lines = list(table_lines(HEADS, [(name, "w" * 60, "short")], width=80))
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith(name)
    assert "..." in lines[1]
    assert lines[1].endswith("short")


def test_a_cell_stays_on_its_line() -> None:
    assert len(list(table_lines(HEADS, [("a\nb", "\x1b[2J", "")]))) == 2


def test_what_is_spare_goes_before_anything_is_cut() -> None:
    rows = [("acme/shop/prod:a", "w" * 20, "note"), ("acme/shop/prod:b", "w", "n")]
    narrow = Narrow(lambda: ["prod:a", "prod:b"], ("NOTE", "WHAT"))

    def lines(width: int) -> list[str]:
        return list(table_lines(HEADS, rows, width=width, narrow=narrow))

    assert lines(44)[1] == f"acme/shop/prod:a  {'w' * 20}  note"
    assert lines(34)[1] == f"prod:a  {'w' * 20}  note"
    assert lines(28) == ["NAME    WHAT", f"prod:a  {'w' * 20}", "prod:b  w"]
    assert lines(27) == ["NAME", "prod:a", "prod:b"]
