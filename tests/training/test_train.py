"""How the Trainer is set up."""

from pathlib import Path

from transformers import TrainingArguments

from training.train import use_one_gpu


def test_a_batch_is_not_cut_up_among_the_gpus_of_one_process(tmp_path: Path):
    arguments = TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, per_device_train_batch_size=16
    )
    arguments._n_gpu = 4
    use_one_gpu(arguments)
    assert arguments.n_gpu == 1
    assert arguments.train_batch_size == 16
