"""Progress where nobody watches a terminal."""

from natadv.progress import counted, nth


def test_a_log_gets_a_line_a_minute(capsys):
    now_s = 0.0
    with counted("attack", "images", clock=lambda: now_s) as bar:
        task = bar.add_task("", total=None)
        for done in range(1, 13):
            now_s += 25
            bar.update(task, completed=done, total=20, description="pgd on shift [1 of 2]")
    assert capsys.readouterr().err.splitlines() == [
        "attack 3/20 images, 0:01:15 so far, 0:07:05 left, pgd on shift [1 of 2]",
        "attack 6/20 images, 0:02:30 so far, 0:05:50 left, pgd on shift [1 of 2]",
        "attack 9/20 images, 0:03:45 so far, 0:04:35 left, pgd on shift [1 of 2]",
        "attack 12/20 images, 0:05:00 so far, 0:03:20 left, pgd on shift [1 of 2]",
    ]


def test_each_of_several_slow_jobs_has_a_time_of_its_own(capsys):
    now_s = 0.0
    with counted("attack", "images", clock=lambda: now_s) as bar:
        task = bar.add_task("", total=None)
        for job, step_s in (("fgsm", 90), ("pgd", 600)):
            for done in range(0, 40, 10):
                bar.update(task, completed=done, total=30, description=job)
                now_s += step_s
            now_s += 1000
    found = capsys.readouterr().err.splitlines()
    assert "attack 20/30 images, 0:03:00 so far, 0:01:30 left, fgsm" in found
    assert "attack 20/30 images, 0:20:00 so far, 0:10:00 left, pgd" in found


def test_a_count_that_advances_and_knows_no_end_is_told_too(capsys):
    now_s = 0.0
    with counted("scanning", "frames", clock=lambda: now_s) as bar:
        task = bar.add_task("", total=None)
        for _ in range(8):
            now_s += 40
            bar.advance(task)
    assert capsys.readouterr().err.splitlines() == [
        f"scanning {done}/? frames, 0:0{80 * done // 2 // 60}:{80 * done // 2 % 60:02} so far" for done in (2, 4, 6, 8)
    ]


def test_what_is_over_within_a_minute_says_nothing(capsys):
    now_s = 0.0
    with counted("attack", "images", clock=lambda: now_s) as bar:
        task = bar.add_task("", total=2)
        now_s = 59
        bar.update(task, completed=2)
    assert not capsys.readouterr().err


def test_a_job_of_several_says_which():
    said = []
    nth(lambda *found: said.append(found), 2, 5)("pgd on shift", 3, 20)
    assert said == [("pgd on shift, 2 of 5", 3, 20)]
