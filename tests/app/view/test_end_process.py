import time
from multiprocessing import get_context

from cellwise.app.view.end_process import end_process


def test_a_process_that_goes_on_is_ended_and_one_that_is_over_stays_so():
    process = get_context("spawn").Process(target=time.sleep, args=(600,))
    process.start()
    begun = time.monotonic()
    end_process(process, 20.0)
    assert not process.is_alive()
    assert time.monotonic() - begun < 60
    assert process.exitcode != 0
    end_process(process, 20.0)
