"""Colours and fonts of the app: light and dark, and fate colours that colour-blind people can tell apart."""

from dataclasses import dataclass

from PySide6.QtCore import QSettings
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

GM, MEGE = "#3d8bfd", "#f2545b"  # fate colours as in the paper: GM blue, MegE red
FATE_COLOURS = {"GM": GM, "MegE": MEGE}
MARKER_COLOURS = (MEGE, GM, "#f2c14e", "#b983ff")  # of channels whose fate is not said
KNOWN_MARKERS = {"gata1": MEGE, "cd16/32": GM, "cd16-32": GM, "cd1632": GM, "fcgr": GM}
CATEGORIES = (
    "#ffb000", "#4cc9f0", "#7ae582", "#ff7eb6", "#c5a3ff", "#ffe066",
    "#5b8cff", "#ff8552", "#2ec4b6", "#d8f15d", "#e58fff", "#9ad1ff",
)  # fmt: skip
GENERATIONS = (
    "#ffe9a8", "#ffc857", "#ff9f45", "#f9706b", "#e0529c", "#b44cd6", "#7d5fff", "#4f8cff", "#38bdf8", "#5eead4",
)  # fmt: skip
SMALLEST_FONT, USUAL_FONT, LARGEST_FONT = 7.0, 10.0, 20.0


@dataclass(frozen=True)
class Theme:
    """The colours of one look, as #rrggbb."""

    name: str
    window: str
    panel: str
    text: str
    quiet: str
    rule: str
    accent: str
    canvas: str  # behind the movie
    focus: str
    highlight: str
    selected: str
    wrong: str  # what is said of a mistake
    darkens: float  # branches and curves on `panel` are drawn this much darker

    def on_panel(self, colour: str) -> QColor:
        """A colour made for dark pictures, so that it can be seen on a panel."""
        hue, saturation, value, _ = QColor(colour).getHsvF()
        if self.darkens == 1:
            return QColor(colour)
        return QColor.fromHsvF(max(hue, 0), min(1, 1.6 * saturation), value / self.darkens)


LIGHT = Theme(
    name="light", window="#f3f4f7", panel="#ffffff", text="#1c2430", quiet="#667085", rule="#d9dde5", accent="#2563eb",
    canvas="#20242c", focus="#ffffff", highlight="#fff3b0", selected="#2563eb", wrong="#b42318", darkens=1.2,
)  # fmt: skip
DARK = Theme(
    name="dark", window="#171a21", panel="#1e222b", text="#e6e9ef", quiet="#98a2b3", rule="#343a46", accent="#6ea8fe",
    canvas="#0d0f13", focus="#ffffff", highlight="#fff3b0", selected="#6ea8fe", wrong="#ff9b8f", darkens=1.0,
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}


def look_in(settings: QSettings) -> Theme:
    """The look that was chosen; the light one where the setting is none."""
    return THEMES.get(str(settings.value("theme")), LIGHT)


def font_in(settings: QSettings) -> float:
    """The size of text that was chosen, pt; the usual one where the setting is none."""
    try:
        size = float(str(settings.value("font_pt", USUAL_FONT)))
    except ValueError:
        return USUAL_FONT
    return size if SMALLEST_FONT <= size <= LARGEST_FONT else USUAL_FONT


def marker_colour(channel: str, number: int, fate: str | None) -> str:
    """The colour of a marker: that of its fate, of a marker known by name, or the next that is free."""
    if fate in FATE_COLOURS:
        return FATE_COLOURS[fate]
    return KNOWN_MARKERS.get(channel.lower(), MARKER_COLOURS[number % len(MARKER_COLOURS)])


def apply(application: QApplication, theme: Theme, font_pt: float) -> None:
    """Give the whole program a look; an explicit palette, since platforms differ in what they pass on."""
    application.setStyle("Fusion")
    application.setPalette(_palette(theme))
    font = QFont(application.font())
    font.setPointSizeF(font_pt)
    application.setFont(font)
    application.setStyleSheet(_style(theme))


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window, role.Base: theme.panel, role.AlternateBase: theme.window, role.Button: theme.window,
        role.ToolTipBase: theme.panel, role.WindowText: theme.text, role.Text: theme.text, role.ButtonText: theme.text,
        role.ToolTipText: theme.text, role.BrightText: theme.text, role.PlaceholderText: theme.quiet,
        role.Highlight: theme.accent, role.HighlightedText: theme.panel, role.Link: theme.accent,
        role.Light: theme.panel, role.Midlight: theme.panel, role.Mid: theme.rule, role.Dark: theme.rule,
        role.Shadow: theme.rule,
    }  # fmt: skip
    for which, colour in colours.items():
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        faint = QColor(theme.rule).darker(130) if theme.name == "light" else QColor(theme.rule).lighter(170)
        palette.setColor(QPalette.ColorGroup.Disabled, which, faint)
    return palette


def _style(theme: Theme) -> str:
    return f"""
    QToolTip {{ border: 1px solid {theme.rule}; padding: 3px; background: {theme.panel}; color: {theme.text}; }}
    QMainWindow::separator {{ background: {theme.window}; width: 5px; height: 5px; }}
    QDockWidget::title {{ padding: 5px 8px; background: {theme.window}; color: {theme.quiet}; }}
    QTableView, QListWidget, QLineEdit, QTextBrowser {{ border: 1px solid {theme.rule}; border-radius: 4px; }}
    QTableView {{ gridline-color: {theme.rule}; }}
    QHeaderView::section {{ background: {theme.window}; border: 0; border-bottom: 1px solid {theme.rule};
        padding: 4px 6px; color: {theme.quiet}; }}
    QLineEdit {{ padding: 4px 6px; }}
    QListWidget::item {{ padding: 4px 6px; }}
    QToolButton#project {{ padding: 6px; border: 1px solid transparent; border-radius: 8px; }}
    QToolButton#project:hover, QToolButton#project:focus {{ border-color: {theme.accent}; }}
    QLabel#quiet {{ color: {theme.quiet}; }}
    QLabel#picture {{ background: {theme.window}; border: 1px solid {theme.rule}; color: {theme.quiet}; }}
    QLabel#complaint {{ color: {theme.wrong}; }}
    QPushButton#link {{ color: {theme.accent}; border: 0; padding: 2px 0; text-align: left; }}
    QPushButton#link:hover {{ text-decoration: underline; }}
    QStatusBar {{ color: {theme.quiet}; }}
    QPushButton#card {{ text-align: left; padding: 14px 18px; border: 1px solid {theme.rule}; border-radius: 8px;
        background: {theme.panel}; }}
    QPushButton#card:hover, QPushButton#card:focus {{ border-color: {theme.accent}; }}
    """
