"""Reports while a block of images is attacked."""

from itertools import pairwise

import torch
from torch import nn

from natadv.attacks.suite import setting
from natadv.evaluation.alive import alive
from natadv.evaluation.robustness import attack_all

BLOCK = 2
IMAGES = torch.randint(256, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0)) / 255


class Slow(nn.Module):
    """A model that takes 0.4 s a pass, and keeps count of them."""

    def __init__(self):
        super().__init__()
        self.now_s, self.passes = 0.0, 0
        self.eval()

    def forward(self, batch):
        self.now_s += 0.4
        self.passes += 1
        score = batch.flatten(1).mean(1)
        return torch.stack([1 - score, score], 1)


def attacked(model, report):
    with alive(model, report, clock=lambda: model.now_s) as told:
        attack_all(model, IMAGES, torch.zeros(4, dtype=torch.int64), setting("pgd"), batch_size=BLOCK, report=told)


def test_a_report_comes_about_once_a_second_while_a_block_is_attacked():
    model, said = Slow(), []
    attacked(model, lambda done: said.append((model.now_s, done)))
    assert {done for _, done in said} == {0, 2, 4}
    between = [later - sooner for (sooner, _), (later, _) in pairwise(said)]
    assert max(between) < 1.3  # the third pass after a report
    assert len(said) < model.passes / 2


def test_done_images_only_grow_and_nothing_is_said_afterwards():
    model, said = Slow(), []
    attacked(model, said.append)
    assert said == sorted(said)
    before = len(said)
    for _ in range(5):
        model(IMAGES)
    assert len(said) == before
