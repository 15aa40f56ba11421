from harness.load.precedence import nice_of_each


def test_many_sending_threads_together_weigh_what_one_alone_does() -> None:
    """A step of niceness is a factor of 1.25: 3 threads are 4.9 steps and 10 are 10.3; 0 is as others are."""
    assert [nice_of_each(threads) for threads in (1, 2, 3, 6, 10, 50)] == [-10, -7, -5, -2, 0, 0]
