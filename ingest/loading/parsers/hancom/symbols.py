"""The words of Hancom's equation script, and what they are in LaTeX."""

from __future__ import annotations

GREEK_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega varepsilon vartheta varpi varrho varsigma varphi"
)
GREEK = frozenset(GREEK_LETTERS.split())
# Capitals that LaTeX has no word for are Latin letters.
LATIN_CAPITALS = {
    "alpha": "A", "beta": "B", "epsilon": "E", "zeta": "Z", "eta": "H", "iota": "I", "kappa": "K", "mu": "M",
    "nu": "N", "omicron": "O", "rho": "P", "tau": "T", "chi": "X",
}  # fmt: skip
FUNCTION_WORDS = (
    "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan log ln lg exp det gcd dim ker deg arg hom max "
    "min lim Lim Pr"
)
FUNCTIONS = frozenset(FUNCTION_WORDS.split())
NAMED = frozenset(("cosec", "asin", "acos", "atan", "arcsinh", "mod", "lcm", "if", "for", "and", "or"))
ACCENTS = {
    "hat": "hat", "widehat": "widehat", "check": "check", "tilde": "tilde", "acute": "acute", "grave": "grave",
    "dot": "dot", "ddot": "ddot", "bar": "bar", "vec": "vec", "dyad": "overleftrightarrow", "under": "underline",
    "arch": "overset{\\frown}", "overline": "overline", "underline": "underline",
}  # fmt: skip
MATRICES = {
    "matrix": "matrix", "pmatrix": "pmatrix", "bmatrix": "bmatrix", "dmatrix": "vmatrix", "cases": "cases",
    "pile": "matrix", "lpile": "matrix", "rpile": "matrix", "eqalign": "aligned",
}  # fmt: skip
LARGE = {
    "sum": "\\sum", "prod": "\\prod", "coprod": "\\coprod", "int": "\\int", "oint": "\\oint", "dint": "\\iint",
    "tint": "\\iiint", "union": "\\cup", "inter": "\\cap", "bigsqcup": "\\bigsqcup", "biguplus": "\\biguplus",
    "bigoplus": "\\bigoplus", "bigotimes": "\\bigotimes", "bigodot": "\\bigodot",
}  # fmt: skip
FONTS = {"rm": "mathrm", "it": "", "bold": "mathbf"}
# Case tells these apart.
CASED = {
    "larrow": "\\leftarrow", "rarrow": "\\rightarrow", "uparrow": "\\uparrow", "downarrow": "\\downarrow",
    "lrarrow": "\\leftrightarrow", "udarrow": "\\updownarrow", "LARROW": "\\Leftarrow", "RARROW": "\\Rightarrow",
    "UPARROW": "\\Uparrow", "DOWNARROW": "\\Downarrow", "LRARROW": "\\Leftrightarrow", "UDARROW": "\\Updownarrow",
    "vert": "|", "VERT": "\\Vert ",
}  # fmt: skip
SYMBOLS = {
    "times": "\\times", "div": "\\div", "divide": "\\div", "plusminus": "\\pm", "pm": "\\pm", "minusplus": "\\mp",
    "mp": "\\mp", "cdot": "\\cdot", "circ": "\\circ", "bullet": "\\bullet", "ast": "\\ast", "star": "\\star",
    "bigcirc": "\\bigcirc", "smallunion": "\\cup", "smallinter": "\\cap", "cup": "\\cup", "cap": "\\cap",
    "sqcap": "\\sqcap", "sqcup": "\\sqcup", "uplus": "\\uplus", "oplus": "\\oplus", "dsum": "\\oplus",
    "ominus": "\\ominus", "otimes": "\\otimes", "odot": "\\odot", "oslash": "\\oslash", "vee": "\\vee",
    "lor": "\\vee", "wedge": "\\wedge", "land": "\\wedge", "lnot": "\\neg", "subset": "\\subset",
    "supset": "\\supset", "superset": "\\supset", "subseteq": "\\subseteq", "supseteq": "\\supseteq", "in": "\\in",
    "owns": "\\ni", "notin": "\\notin", "leq": "\\leq", "le": "\\leq", "geq": "\\geq", "ge": "\\geq",
    "prec": "\\prec", "succ": "\\succ", "neq": "\\neq", "ne": "\\neq", "doteq": "\\doteq", "sim": "\\sim",
    "approx": "\\approx", "simeq": "\\simeq", "cong": "\\cong", "iso": "\\cong", "equiv": "\\equiv",
    "identical": "\\equiv", "asymp": "\\asymp", "propto": "\\propto", "exist": "\\exists", "forall": "\\forall",
    "therefore": "\\therefore", "because": "\\because", "emptyset": "\\emptyset", "partial": "\\partial",
    "inf": "\\infty", "infinity": "\\infty", "prime": "'", "xor": "\\veebar", "triangle": "\\triangle",
    "triangled": "\\triangledown", "diamond": "\\diamond", "dagger": "\\dagger", "ddagger": "\\ddagger",
    "nwarrow": "\\nwarrow", "nearrow": "\\nearrow", "swarrow": "\\swarrow", "searrow": "\\searrow",
    "hookleft": "\\hookleftarrow", "hookright": "\\hookrightarrow", "mapsto": "\\mapsto", "cdots": "\\cdots",
    "ldots": "\\ldots", "vdots": "\\vdots", "ddots": "\\ddots", "angle": "\\angle", "msangle": "\\measuredangle",
    "sangle": "\\sphericalangle", "vdash": "\\vdash", "dashv": "\\dashv", "bot": "\\bot", "top": "\\top",
    "models": "\\models", "laplace": "\\nabla", "nabla": "\\nabla", "grad": "\\nabla", "aleph": "\\aleph",
    "hbar": "\\hbar", "imath": "\\imath", "jmath": "\\jmath", "ohm": "\\Omega", "ell": "\\ell", "liter": "\\ell",
    "wp": "\\wp", "imag": "\\Im", "image": "\\Im", "reimage": "\\Re", "angstrom": "\\text{Å}",
    "centigrade": "\\text{℃}", "fahrenheit": "\\text{℉}", "lbrace": "\\{", "rbrace": "\\}", "langle": "\\langle",
    "rangle": "\\rangle", "lfloor": "\\lfloor", "rfloor": "\\rfloor", "lceil": "\\lceil", "rceil": "\\rceil",
    "lslant": "/", "at": "@",
}  # fmt: skip
SIGNS = {
    "<->": "\\leftrightarrow", "->": "\\rightarrow", "<-": "\\leftarrow", "=>": "\\Rightarrow", "<=": "\\leq",
    ">=": "\\geq", "!=": "\\neq", "==": "\\equiv", "+-": "\\pm", "-+": "\\mp", "<<": "\\ll", ">>": "\\gg",
    "<<<": "\\lll", ">>>": "\\ggg", "...": "\\cdots", "~": "\\ ", "`": "\\,", "%": "\\%", "$": "\\$",
    "\\": "\\backslash", "&": "&",
}  # fmt: skip
