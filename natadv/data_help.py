"""What `--data` takes, as all commands say it; the names are those of `natadv.data.load`."""

DATA = "signs, gtsrb, cifar10, stl10 or a labelled image folder"
