"""The internal GAN: networks, losses, schedule, training."""
