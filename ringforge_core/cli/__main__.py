"""`python -m ringforge_core.cli`"""

from ringforge_core.cli import main

main()
