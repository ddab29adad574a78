"""The PyTorch modules behind the golden values: the tutorial's two nets, a small one, and a table of modules to print."""
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """The CIFAR-10 tutorial's net."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class NeuralNet(nn.Module):
    """The tutorial's first net: one channel, pooling as a function."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.fc = nn.Linear(48, 4)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).flatten(1))


class Empty(nn.Module):
    pass


class Block(nn.Module):
    """Children two deep, a shared child (printed twice, its parameters listed once)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.act = nn.ReLU()
        self.again = self.body


def modules():
    """(name, module) pairs; tests/nn/print_test.ts builds the module of each name in wgrad."""
    yield "Net", Net()
    yield "NeuralNet", NeuralNet()
    yield "Empty", Empty()
    yield "Block", Block()
    yield "Sequential empty", nn.Sequential()
    yield "Sequential one", nn.Sequential(nn.ReLU())
    yield "Sequential nested", nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Sequential(nn.MaxPool2d(2))), nn.Flatten(), nn.Linear(8, 3))
    yield "Sequential eleven", nn.Sequential(*[nn.ReLU() for _ in range(11)])
    yield "Conv2d", nn.Conv2d(3, 6, 5)
    yield "Conv2d non-square", nn.Conv2d(3, 6, (1, 5))
    yield "Conv2d stride", nn.Conv2d(3, 6, 5, stride=2)
    yield "Conv2d stride pair", nn.Conv2d(3, 6, 5, stride=(1, 2))
    yield "Conv2d padding", nn.Conv2d(3, 6, 5, padding=2)
    yield "Conv2d padding pair", nn.Conv2d(3, 6, 5, padding=(0, 1))
    yield "Conv2d dilation", nn.Conv2d(3, 6, 5, dilation=2)
    yield "Conv2d groups", nn.Conv2d(4, 6, 3, groups=2)
    yield "Conv2d no bias", nn.Conv2d(3, 6, 5, bias=False)
    yield "Conv2d all", nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=4, bias=False)
    yield "Linear", nn.Linear(400, 120)
    yield "Linear no bias", nn.Linear(3, 1, bias=False)
    yield "MaxPool2d", nn.MaxPool2d(2)
    yield "MaxPool2d stride", nn.MaxPool2d(3, stride=2, padding=1)
    yield "MaxPool2d pairs", nn.MaxPool2d((2, 3), stride=(1, 2), padding=(1, 0))
    yield "MaxPool2d pair kernel", nn.MaxPool2d((2, 3))
    yield "ReLU", nn.ReLU()
    yield "Flatten", nn.Flatten()
    yield "Flatten dims", nn.Flatten(0, 2)
    yield "Dropout", nn.Dropout()
    yield "Dropout p", nn.Dropout(0.25)
    yield "Dropout2d", nn.Dropout2d()
    yield "Dropout2d p", nn.Dropout2d(0.1)
    yield "CrossEntropyLoss", nn.CrossEntropyLoss()
    yield "CrossEntropyLoss options", nn.CrossEntropyLoss(label_smoothing=0.1, reduction="sum")
    yield "MSELoss", nn.MSELoss()
    yield "MSELoss sum", nn.MSELoss(reduction="sum")
