"""What the operator is told when a command cannot do its work."""


class Failure(Exception):
    """Ends the command with one sentence that names the thing, the place and the way out.

    Args:
        sentence: for the operator; holds no secrets.
        code: the exit code.
    """

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code
