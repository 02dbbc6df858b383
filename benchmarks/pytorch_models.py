"""The benchmark's networks in PyTorch, with the same names and shapes as ours."""

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d, pad


class LeNet5(nn.Module):
    """As `autograd_cnn.models.LeNet5`."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.fc1(x.flatten(1)))
        return self.fc3(torch.tanh(self.fc2(x)))


class VGGLike(nn.Module):
    """As `autograd_cnn.models.vgg_like`."""

    def __init__(self):
        super().__init__()
        layers, inputs = [], 3
        for channels in (64, 128, 256):
            for _ in range(2):
                layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(inplace=True), nn.Linear(256, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


class Block(nn.Module):
    """As `autograd_cnn.models.BasicBlock`; `projected` chooses the shortcut with weights."""

    def __init__(self, inputs, channels, stride=1, projected=False):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.extra, self.stride = channels - inputs, stride
        self.downsample = None
        if projected and self.extra:
            convolution = nn.Conv2d(inputs, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(channels))

    def forward(self, x):
        y = torch.relu_(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.extra:
            x = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return torch.relu_(y.add_(x))


class ResNet20(nn.Module):
    """As `autograd_cnn.models.resnet20`; `blocks` a stage for deeper ones."""

    def __init__(self, blocks=3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(blocks, 16, 16, 1)
        self.layer2 = _stage(blocks, 16, 32, 2)
        self.layer3 = _stage(blocks, 32, 64, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu_(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class ResNet18(nn.Module):
    """As `autograd_cnn.models.resnet18`."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(2, 64, 64, 1, True)
        self.layer2 = _stage(2, 64, 128, 2, True)
        self.layer3 = _stage(2, 128, 256, 2, True)
        self.layer4 = _stage(2, 256, 512, 2, True)
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        x = max_pool2d(torch.relu_(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def _stage(blocks, inputs, channels, stride, projected=False):
    first = Block(inputs, channels, stride, projected)
    return nn.Sequential(first, *(Block(channels, channels) for _ in range(blocks - 1)))
