"""The wet glass of natadv/raindrops in torch: differentiable in where the drops sit and what they are like."""
